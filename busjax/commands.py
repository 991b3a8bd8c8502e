"""`busjax COMMAND`: which commands there are, and the module that each of them is."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import sys
from collections.abc import Sequence
from importlib import metadata

from busjax.allocator import restart_tuned
from busjax.errors import tell


@dataclasses.dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        module: whose `main` takes the words behind the command, and returns the exit code.
        summary: what it does.
        mode: given to `main` as well; '' nothing.
        is_tuned: it computes long enough for the allocator to matter.
    """

    module: str
    summary: str
    mode: str = ""
    is_tuned: bool = False


COMMANDS = {
    "train": Command("main", "train a network, evaluate it, write the report", "train", True),
    "evaluate": Command("main", "evaluate a run, also on other images", "evaluate", True),
    "unseen": Command(
        "evaluation.unseen.__main__", "networks on sets of other clinics", is_tuned=True
    ),
    "crossval": Command("main", "train and evaluate a network on every fold", "crossval", True),
    "predict": Command("inference.predict", "read images with a trained network", is_tuned=True),
    "export": Command(
        "inference.export.__main__", "hand a trained network over, or write it as StableHLO or ONNX"
    ),
    "audit": Command("data.audit.__main__", "find duplicates and contradictions in a folder"),
    "compare": Command("evaluation.compare.__main__", "runs and cross-validations side by side"),
    "report": Command("evaluation.report.__main__", "draw the page of a run again"),
    "info": Command("about.info", "versions, devices, what 'auto' chooses here and why"),
    "show": Command("about.show", "what a configuration asks for; its first batch as a picture"),
    "benchmark": Command("benchmark.__main__", "time busjax and its peers here", is_tuned=True),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command that the words ask for; returns the exit code."""
    name, *words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in ("-h", "--help", "help"):
        print(_help())
        return 0
    if name == "--version":
        print(f"busjax {metadata.version('busjax')}")
        return 0
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean '{close[0]}'?" if close else "busjax --help lists all of them"
        return tell(f"'{name}' is no command: {hint}")
    command = COMMANDS[name]
    if command.is_tuned and not {"-h", "--help"} & set(words):
        restart_tuned()
    module = importlib.import_module(f"busjax.{command.module}")
    code: int | None = module.main(words, *filter(None, [command.mode]))
    return code or 0


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        (
            "usage: busjax COMMAND [OPTION ...]",
            "",
            "Multi-task learning on breast ultrasound: segments the tumour, classifies the image.",
            "Research only: no medical device.",
            "",
            "commands:",
            *lines,
            "",
            "options:",
            "  -h, --help   this text; busjax COMMAND --help: that of a command",
            "  --version    the version",
        )
    )
