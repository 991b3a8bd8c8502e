"""`python -m busjax.main --config=configs/unetpp.py`: train, evaluate, report.

The same as `busjax train`, `busjax evaluate` and `busjax crossval`, by --mode.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import traceback
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from busjax import files, waiting
from busjax.allocator import restart_tuned
from busjax.command_line import Parser, parse
from busjax.config import Config
from busjax.errors import AGAIN, Preempted, UserError, tell

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

MODES = {
    "train": "Trains a network, evaluates it on the test split and writes the report.",
    "evaluate": "Evaluates a run, or all folds of a cross-validation, and writes the report.",
    "crossval": "Trains a network on every fold, evaluates it on the others' images.",
}


def main(arguments: Sequence[str], mode: str | None = None) -> None:
    """Runs what the words ask for; an error that the user can mend is one line, exit code 1.

    After SIGTERM, and where another process of the run was lost, the exit code is `AGAIN`.

    Args:
        arguments: the words of the command line.
        mode: of `MODES`; None: --mode tells.
    """
    signal.signal(signal.SIGTERM, _end)
    try:
        config, options = _parse(arguments, mode)
        _quiet()
        _run(config, options)
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


def _parser(mode: str | None) -> Parser:
    about = MODES[mode] if mode else "Trains, evaluates, cross-validates, by --mode."
    parser = Parser(f"busjax {mode}" if mode else "python -m busjax.main", about)
    names = ("--workdir", "--network") if mode == "evaluate" else ("--workdir",)
    text = "folder of the run [runs/<name of the config>]"
    if mode == "evaluate":
        text = "folder of a run, of a network that was handed over, or the name of a packaged one"
    parser.add_argument(*names, metavar="FOLDER", help=text)
    if mode is None:
        parser.add_argument("--mode", choices=MODES, default="train", help="[train]")
    if mode in (None, "evaluate"):
        parser.add_argument(
            "--evaluation",
            metavar="NAME",
            help="of an evaluation with other options, kept beside the run's own",
        )
    parser.add_argument(
        "--coordinator",
        metavar="HOST:PORT",
        help="of process 0 of a run of several processes [$BUSJAX_COORDINATOR; detected on TPU "
        "VMs, SLURM and GKE]",
    )
    parser.add_argument(
        "--processes",
        metavar="N",
        type=int,
        help="of the run [$BUSJAX_PROCESSES; detected likewise]; 1: this one alone",
    )
    parser.add_argument(
        "--process_index",
        metavar="I",
        type=int,
        help="of this process, from 0 [$BUSJAX_PROCESS_INDEX; detected likewise]",
    )
    parser.set_defaults(mode=mode or "train", evaluation=None)
    return parser


def _parse(arguments: Sequence[str], mode: str | None) -> tuple[Config, Namespace]:
    parser = _parser(mode)
    needed = "--workdir=RUN" if mode == "evaluate" else "--config=NAME"
    config, options = parse(parser, arguments, _saved(arguments, mode), needed)
    if config is None:
        if options.mode == "evaluate":
            raise UserError("no run: give its folder, such as --workdir=runs/unetpp")
        raise UserError("no configuration: give one, such as --config=unetpp")
    return config, options


def _saved(arguments: Sequence[str], mode: str | None) -> Any:
    """The configuration of the run, where an evaluation is not given another one."""
    words = iter(arguments)
    given = {"--mode": mode}
    for word in words:
        name, sign, value = word.partition("=")
        given[name] = value if sign else next(words, "")
    workdir = given.get("--workdir") or given.get("--network")
    if given["--mode"] != "evaluate" or "--config" in given or workdir is None:
        return None
    from busjax.networks import packaged
    from busjax.runs import configuration

    is_packaged = workdir in packaged.names()
    folder = packaged.FOLDER / workdir if is_packaged else files.locate(workdir)
    return configuration.saved_draft(folder)


def _quiet() -> None:
    """Silences what libraries log: their steps, and errors that are raised here as well."""
    from absl import logging

    logging.set_verbosity(logging.WARNING)  # Orbax tells of every step it takes
    logging.get_absl_logger().addFilter(lambda record: not record.exc_info)
    sys.unraisablehook = _unheard


def _unheard(error: UnraisableHookArgs) -> None:
    """Drops what late writes say when the save they belong to has already failed, and was told."""
    if str(error.exc_value) != "Event loop is closed":
        sys.__unraisablehook__(error)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """At any time but within a step of a training, which takes SIGTERM upon itself."""
    raise Preempted


def _run(config: Config, options: Namespace) -> None:
    name = options.evaluation
    if name is not None and (options.mode != "evaluate" or not re.fullmatch(r"[\w.-]+", name)):
        raise UserError(
            f"--evaluation={name} must be letters, digits, '.', '-' and '_', with --mode=evaluate"
        )
    # JAX and all that needs it come in here, so that --help and a wrong flag answer at once.
    from busjax import compilation, processes

    coordinator = options.coordinator or os.environ.get("BUSJAX_COORDINATOR")
    count = _whole(options.processes, "BUSJAX_PROCESSES")
    index = _whole(options.process_index, "BUSJAX_PROCESS_INDEX")
    processes.join(processes.Place(coordinator, count, index), config.parallel.timeout)
    compilation.keep()
    try:
        _run_mode(config, options)
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


def _run_mode(config: Config, options: Namespace) -> None:
    from busjax import crossval, run
    from busjax.evaluation import study
    from busjax.networks import packaged

    default = f"{config.name}_crossval" if options.mode == "crossval" else config.name
    workdir = files.locate(options.workdir or f"runs/{default}")
    if options.mode == "evaluate" and options.workdir in packaged.names():
        workdir = files.locate(f"runs/packaged_{options.workdir}")
        packaged.unpack(options.workdir, Path(workdir))
    if options.mode == "evaluate":
        results_in = f"evaluation_{options.evaluation}" if options.evaluation else "evaluation"
        is_crossval = study.is_crossval(workdir)
        evaluate = crossval.evaluate_folds if is_crossval else run.evaluate_only
        evaluate(config, workdir, results_in)
    elif options.mode == "crossval":
        files.make_folder(workdir)
        crossval.cross_validate(config, workdir)
    else:
        files.make_folder(workdir)
        run.train_and_evaluate(config, workdir)


def _fail(message: str) -> NoReturn:
    waiting.leave(tell(message))


if __name__ == "__main__":
    restart_tuned()
    main(sys.argv[1:])
