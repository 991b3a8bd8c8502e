"""How fast busjax is on this machine, and PyTorch and ONNX Runtime beside it, in one table.

    busjax benchmark
    busjax benchmark --networks=unet:16,unetpp:8 --dtypes=float32 --batches=1,16

Every library runs in a process of its own; they are timed in turns, and medians are shown. A ratio
is the peer's time divided by busjax's: above 1 busjax is faster. 'first call' is the time from the
start of the process, imports included, with nothing compiled before; memory is the most that the
process held, where everything was compiled before. Weights and images are drawn. PyTorch runs
eagerly, channels last, bfloat16 by autocast, without the moving average of the weights that busjax
keeps. A peer that is not installed is left out.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from collections.abc import Sequence

from busjax.benchmark import machine, turns
from busjax.benchmark.subjects import LIBRARIES, Subject
from busjax.benchmark.turns import Timing
from busjax.command_line import Parser
from busjax.errors import UserError, tell

_NETWORKS = "unet:16,unet:32,unetpp:8"
_PEERS = [name for name in LIBRARIES if name != "busjax"]
_COLUMNS = (
    "network", "dtype", "what",
    "busjax (ms)", *(f"{name} (ms)" for name in _PEERS), *(f"ratio to {name}" for name in _PEERS),
    "first call (s)", "compiled before (s)", "PyTorch (s)", "memory (MB)", "PyTorch (MB)",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the tables as they are measured; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        subjects = _subjects(options)
        print(f"{machine.describe()}\n", flush=True)
        if options.input:
            print(f"{_input(options.side)}\n", flush=True)
        print(f"{_row(_COLUMNS)}\n{_row(['---'] * len(_COLUMNS))}", flush=True)
        for subject in subjects:
            print(_line(subject, options.rounds), flush=True)
    except UserError as error:
        return tell(error)
    except KeyboardInterrupt:
        print("busjax: stopped", file=sys.stderr)
        return 130
    for reason in sorted({_lack(subject, name) for subject in subjects for name in _PEERS} - {""}):
        print(f"{reason}.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser("busjax benchmark", __doc__ or "")
    parser.add_argument("--networks", default=_NETWORKS, help=f"VARIANT:WIDTH,... [{_NETWORKS}]")
    parser.add_argument("--dtypes", default="", help="float32,bfloat16 [those that are fast here]")
    parser.add_argument("--tasks", default="train,predict", help="[train,predict]")
    parser.add_argument("--batches", default="1,16", help="images of a prediction [1,16]")
    parser.add_argument("--batch", type=int, default=16, help="images of a train step [16]")
    parser.add_argument("--side", type=int, default=128, help="pixels a side [128]")
    parser.add_argument("--rounds", type=int, default=9, help="calls that are timed [9]")
    parser.add_argument(
        "--input", action=argparse.BooleanOptionalAction, default=True, help="the input pipeline"
    )
    return parser


def _subjects(options: argparse.Namespace) -> list[Subject]:
    """What busjax does; raises UserError for what it does not know."""
    if options.rounds < 1 or options.batch < 1 or options.side < 1:
        raise UserError("--rounds, --batch and --side must be 1 or more")
    dtypes = options.dtypes.split(",") if options.dtypes else _fast_dtypes()
    if unknown := [name for name in dtypes if name not in ("float32", "bfloat16")]:
        raise UserError(f"--dtypes={unknown[0]}: choose among float32, bfloat16")
    subjects = []
    for named in options.networks.split(","):
        network, _, width = named.partition(":")
        for dtype in dtypes:
            for task in options.tasks.split(","):
                for batch in _batches(task, options):
                    subject = Subject(
                        "busjax", task, network, _whole("--networks", width or "0"),
                        dtype, options.side, batch,
                    )  # fmt: skip
                    _check(subject)
                    subjects.append(subject)
    return subjects


def _batches(task: str, options: argparse.Namespace) -> list[int]:
    if task == "train":
        return [options.batch]
    if task == "predict":
        return [_whole("--batches", text) for text in options.batches.split(",")]
    raise UserError(f"--tasks={task}: choose among train, predict")


def _whole(option: str, text: str) -> int:
    if not text.isdecimal():
        raise UserError(f"{option}: '{text}' is no whole number")
    return int(text)


def _check(subject: Subject) -> None:
    try:
        subject.config  # noqa: B018
    except UserError as error:
        raise UserError(f"--networks: {error}") from error


def _fast_dtypes() -> list[str]:
    from busjax.ops import hardware  # and with it JAX

    return ["float32", "bfloat16"] if hardware.has_fast_bfloat16() else ["float32"]


def _lack(subject: Subject, library: str) -> str:
    return dataclasses.replace(subject, library=library).lacks()


def _line(subject: Subject, rounds: int) -> str:
    """Measures a subject and its peers: a row of the table."""
    libraries = [name for name in LIBRARIES if not _lack(subject, name)]
    timings = turns.measure(
        {name: dataclasses.replace(subject, library=name) for name in libraries}, rounds
    )
    ours, nothing = timings["busjax"], Timing(math.nan, math.nan, math.nan, math.nan)
    peers = [timings.get(name, nothing) for name in _PEERS]
    torch = timings.get("PyTorch", nothing)
    images = f"{subject.batch} image{'s' if subject.batch > 1 else ''}"
    return _row([
        f"{subject.network}, width {subject.config.model.width}",
        subject.dtype,
        {"train": f"train step, {images}", "predict": f"prediction, {images}"}[subject.task],
        *(_number(1e3 * timing.seconds, 1) for timing in (ours, *peers)),
        *(_number(peer.seconds / ours.seconds, 2) for peer in peers),
        *(_number(seconds, 1) for seconds in (ours.cold, ours.kept, torch.kept)),
        *(_number(timing.megabytes, 0) for timing in (ours, torch)),
    ])  # fmt: skip


def _number(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _input(side: int) -> str:
    from busjax.benchmark import input_pipeline  # and with it Grain

    rates = input_pipeline.measure(side)
    return (
        f"Input pipeline, {side} x {side}: {rates.decoded:.0f} images/s are read from PNG files, "
        f"once; {rates.augmented:.0f} images/s are augmented, {rates.augmented_a_core:.0f} for "
        "each core at work."
    )


if __name__ == "__main__":
    sys.exit(main())
