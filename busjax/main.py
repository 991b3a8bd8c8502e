"""`python -m busjax.main --config=configs/unetpp.py`: train, evaluate, report."""

from __future__ import annotations

import os
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from absl import app, flags, logging
from ml_collections import config_flags

from busjax import files, variants, waiting
from busjax.allocator import restart_tuned
from busjax.config import Config
from busjax.config.flags import settings
from busjax.errors import AGAIN, Preempted, UserError, tell

MODES = ("train", "evaluate", "crossval")

_CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    f"The configuration: {', '.join(variants.names())}, or a file, such as configs/unetpp.py.",
    lock_config=True,
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run [runs/<name of the config>].")
_MODE = flags.DEFINE_enum(
    "mode",
    "train",
    MODES,
    "train: train, evaluate on the test split, report; evaluate: the rest; crossval: train once a "
    "fold.",
)
_EVALUATION = flags.DEFINE_string(
    "evaluation", None, "Name of an evaluation with other options, kept beside the run's own."
)
_COORDINATOR = flags.DEFINE_string(
    "coordinator",
    None,
    "HOST:PORT of process 0 of a run of several processes [$BUSJAX_COORDINATOR; detected on TPU "
    "VMs, SLURM and GKE].",
)
_PROCESSES = flags.DEFINE_integer(
    "processes",
    None,
    "Processes of the run [$BUSJAX_PROCESSES; detected likewise]; 1: this one alone.",
)
_PROCESS_INDEX = flags.DEFINE_integer(
    "process_index",
    None,
    "Index of this process, from 0 [$BUSJAX_PROCESS_INDEX; detected likewise].",
)


def main(argv: Sequence[str]) -> None:
    """Runs what the flags ask for; an error that the user can mend is one line, exit code 1.

    After SIGTERM, and where another process of the run was lost, the exit code is `AGAIN`.
    """
    if len(argv) > 1:
        _fail(f"unexpected argument {argv[1]!r}: flags are written --name=value")
    signal.signal(signal.SIGTERM, _end)
    logging.set_verbosity(logging.WARNING)  # Orbax tells of every step it takes
    # What fails in its threads is raised here as well: no need for their stack traces.
    logging.get_absl_logger().addFilter(lambda record: not record.exc_info)
    try:
        _run()
    except UserError as error:
        _fail(str(error))
    except Preempted:
        print("busjax: stopped by SIGTERM; the same command goes on", file=sys.stderr)
        waiting.leave(AGAIN)
    except KeyboardInterrupt:
        line = "stopped; the same command goes on from the last checkpoint"
        print(f"\n{line}" if sys.stderr.isatty() else line, file=sys.stderr)
        waiting.leave(130)
    except Exception:
        traceback.print_exc()
        waiting.leave(1)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """At any time but within a step of a training, which takes SIGTERM upon itself."""
    raise Preempted


def _run() -> None:
    config = _config()
    name = _EVALUATION.value
    if name is not None and (_MODE.value != "evaluate" or not re.fullmatch(r"[\w.-]+", name)):
        raise UserError(
            f"--evaluation={name} must be letters, digits, '.', '-' and '_', with --mode=evaluate"
        )
    # JAX and all that needs it come in here, so that --help and a wrong flag answer at once.
    from busjax import compilation, processes

    coordinator = _COORDINATOR.value or os.environ.get("BUSJAX_COORDINATOR")
    count = _whole(_PROCESSES.value, "BUSJAX_PROCESSES")
    index = _whole(_PROCESS_INDEX.value, "BUSJAX_PROCESS_INDEX")
    processes.join(processes.Place(coordinator, count, index), config.parallel.timeout)
    compilation.keep()
    try:
        _run_mode(config)
    except Exception as error:
        # The others know of a mistake of the user, but not of this machine's disk.
        known = isinstance(error, UserError) and not isinstance(error, files.Unwritable)
        if known or processes.alone():
            raise
        processes.leave(error)


def _whole(flag: int | None, variable: str) -> int | None:
    text = os.environ.get(variable)
    if flag is not None or text is None:
        return flag
    if not text.isdecimal():
        raise UserError(f"the environment variable {variable}={text} must be a whole number")
    return int(text)


def _run_mode(config: Config) -> None:
    from busjax import crossval, run
    from busjax.evaluation import study

    default = f"{config.name}_crossval" if _MODE.value == "crossval" else config.name
    workdir = files.locate(_WORKDIR.value or f"runs/{default}")
    if _MODE.value == "evaluate":
        results_in = f"evaluation_{_EVALUATION.value}" if _EVALUATION.value else "evaluation"
        is_crossval = study.is_crossval(workdir)
        evaluate = crossval.evaluate_folds if is_crossval else run.evaluate_only
        evaluate(config, workdir, results_in)
    elif _MODE.value == "crossval":
        files.make_folder(workdir)
        crossval.cross_validate(config, workdir)
    else:
        files.make_folder(workdir)
        run.train_and_evaluate(config, workdir)


def _config() -> Config:
    if _CONFIG.value is None:
        raise UserError("no configuration: give one, such as --config=configs/unetpp.py")
    try:
        # A file that could not be loaded is a proxy that complains when it is first read.
        return settings(_CONFIG.value)
    except OSError as error:
        reason = str(error).splitlines()[-1].strip()
        raise UserError(f"the configuration cannot be loaded: {reason}") from error


def _parse(argv: Sequence[str]) -> list[str]:
    try:
        return flags.FLAGS(_with_variant(_with_saved_config(list(argv))))
    except UserError as error:
        _fail(str(error))
    except flags.Error as error:
        _fail(f"{error} (see --help)")
    except (AttributeError, KeyError) as error:
        # ml_collections quotes the field that it lacks, and then the closest one.
        quoted = str(error).replace("\\n", " ").replace("\\'", "").strip("\"'")
        _fail(f"the configuration has no such field: {quoted} (all fields: busjax/config/)")
    except (TypeError, ValueError, SyntaxError, ImportError, OSError) as error:
        _fail(f"{type(error).__name__}: {' '.join(str(error).split())}")


def _with_saved_config(argv: list[str]) -> list[str]:
    """An evaluation without --config takes that of its run, whose fields can then be set."""
    words = iter(argv[1:])
    given = {}
    for word in words:
        name, sign, value = word.partition("=")
        given[name] = value if sign else next(words, "")
    workdir = given.get("--workdir")
    if given.get("--mode") != "evaluate" or "--config" in given or workdir is None:
        return argv
    saved = Path(__file__).parent / "runs" / "configuration.py"
    return [argv[0], f"--config={saved}:{workdir}", *argv[1:]]


def _with_variant(argv: list[str]) -> list[str]:
    """The file of a variant in place of its name, which is all that ml_collections takes."""
    words = list(argv)
    for index, word in enumerate(words):
        name, sign, value = word.partition("=")
        if name.lstrip("-") != "config" or not name.startswith("-"):
            continue
        if not sign and index + 1 < len(words):
            name, value, words[index + 1 : index + 2] = name, words[index + 1], []
        file, colon, argument = value.partition(":")
        words[index] = f"{name}={variants.file_of(file)}{colon}{argument}"
    return words


def _fail(message: str) -> NoReturn:
    waiting.leave(tell(message))


if __name__ == "__main__":
    restart_tuned()
    app.run(main, flags_parser=_parse)
