"""Reads images with a trained network. Research only: no medical device.

    busjax predict IMAGE_OR_FOLDER... --out=DIR [--network=NETWORK]

Without a network it takes the one that comes with busjax. Leaves masks (PNG, 0 and 255), overlays,
predictions.json and a page, index.html, in DIR; past 200 images further pages. Exit code 3: some
files could not be read; they are named.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import logging as standard_logging
import signal
import sys
import warnings
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import TYPE_CHECKING

from busjax.command_line import Parser
from busjax.config import FIELDS, MEANINGS, Config
from busjax.config.rules import OneOf
from busjax.errors import UserError, tell

if TYPE_CHECKING:
    from etils import epath

    from busjax.inference.folder import Folder
    from busjax.inference.frame import Frame
    from busjax.inference.inputs import File, Inputs
    from busjax.inference.predictor import Predictor

UNREADABLE = 3
"""Exit code where some files could not be read, and all others were."""

SAVED = ("masks", "overlays")
# Fields of the run that may be others here.
_OPTIONS = {
    "flips": "inference.flips",
    "threshold": "inference.threshold",
    "temperature": "inference.temperature",
    "largest": "inference.largest",
    "crop": "inference.crop",
    "grey_range": "inference.grey_range",
    "coverage": "inference.coverage",
    "refine": "model.refine",
}
_TOGETHER = 16  # frames in memory, and given to the network at a time


class _Stopped(Exception):
    """Ctrl-C, heard between two frames: no file is left half written."""


def main(arguments: list[str] | None = None) -> int:
    """Does what the command line asks for and returns the exit code."""
    options = _parse(arguments)
    try:
        return _predict(options)
    except UserError as error:
        return tell(error)
    except (_Stopped, KeyboardInterrupt):
        print(
            "busjax: stopped before all files were read; what was written is marked as incomplete",
            file=sys.stderr,
        )
        return 130


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser("busjax predict", __doc__ or "")
    parser.add_argument("images", nargs="+", help="files, or folders of them: PNG, DICOM, ...")
    parser.add_argument(
        "--workdir", "--network", action="append", metavar="NETWORK",
        help="folder of a run, e.g. runs/unetpp, one that was handed over, or the name of a "
        "packaged network; given again: networks to average with [the one that comes with busjax]",
    )  # fmt: skip
    parser.add_argument("--out", required=True, help="folder for the results")
    parser.add_argument(
        "--save",
        type=_saved,
        default=SAVED,
        help="of masks,overlays: what to write besides numbers and page [both]; none: neither",
    )
    defaults = Config().flat()
    for name, field in _OPTIONS.items():
        rule = FIELDS[field]
        kind = (
            {"choices": rule.choices}
            if isinstance(rule, OneOf)
            else {"type": type(defaults[field])}
        )
        parser.add_argument(
            f"--{name}", help=f"{MEANINGS[field]} [the run's config.{field}]", **kind
        )
    parser.add_argument("--overwrite", action="store_true", help="write into a folder with files")
    options = parser.parse_args(arguments)
    if not all(given.strip() for given in options.images):
        parser.error("an image has no name: give files or folders ('.' is the folder you are in)")
    return options


def _saved(text: str) -> tuple[str, ...]:
    names = () if text == "none" else tuple(text.split(","))
    if unknown := set(names) - set(SAVED):
        raise argparse.ArgumentTypeError(
            f"{sorted(unknown)[0]!r} is unknown: choose masks, overlays, both with a comma, or none"
        )
    return names


def _predict(options: argparse.Namespace) -> int:
    # JAX and all that takes long to import comes in when what can be told without it has been told.
    from absl import logging

    from busjax import files
    from busjax.inference import folder, inputs

    logging.set_verbosity(logging.ERROR)  # Orbax tells of every step it takes
    _quiet()
    out = files.locate(options.out)
    folder.check_free(out, options.overwrite)
    given_paths = [files.locate(path) for path in options.images]
    if out in given_paths:
        raise UserError(f"--out={out} is the folder of the images: give another one")
    found = inputs.collect(given_paths, without=out)
    given = {name: value for name in _OPTIONS if (value := getattr(options, name)) is not None}
    from busjax.inference.predictor import load

    predictor = load(*(options.workdir or []), **given)
    if not options.workdir:
        said = predictor.trained_on["description"]
        print(f"network: {predictor.config.name}, which comes with busjax, trained on {said}")
    with folder.reserved(out, options.overwrite):
        outcome = _read(found, predictor, folder.Folder(out, options.save, predictor))
    print(f"{outcome}: {out / 'index.html'}")
    return UNREADABLE if outcome.n_unreadable else 0


def _quiet() -> None:
    """Silences what decoders say of odd files, tracebacks among it: we say it where it matters."""
    of_pydicom = standard_logging.getLogger("pydicom")
    of_pydicom.addHandler(standard_logging.NullHandler())
    of_pydicom.propagate = False
    warnings.filterwarnings("ignore", module="pydicom|PIL")


@dataclasses.dataclass
class _Outcome:
    """How many files were read, could not be (folders among them), and hold no picture."""

    n_read: int = 0
    n_unreadable: int = 0
    n_without: int = 0
    n_doubtful: int = 0

    def __str__(self) -> str:
        without = f"; {self.n_without} DICOM files hold no picture" if self.n_without else ""
        doubtful = f"; the network is unsure of {self.n_doubtful}" if self.n_doubtful else ""
        total = self.n_read + self.n_unreadable
        return f"{self.n_read} of {total} files read{without}{doubtful}"


def _read(found: Inputs, predictor: Predictor, results: Folder) -> _Outcome:
    """Reads all files into the folder."""
    outcome = _Outcome()
    try:
        with _interrupts_heard() as heard:
            for batch in _batches(_frames(found, predictor, results, outcome)):
                readings = predictor.read([frame for _, frame in batch])
                for (file, frame), reading in zip(batch, readings, strict=True):
                    if heard:
                        raise _Stopped
                    results.add(file, frame, reading)
                    outcome.n_doubtful += bool(reading.doubt.abstains)
        results.complete()
    finally:
        results.close()
    return outcome


@contextlib.contextmanager
def _interrupts_heard() -> Iterator[list[int]]:
    """Notes the first Ctrl-C, in the list; the second one stops at once."""
    heard: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        if heard:
            raise KeyboardInterrupt
        heard.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, before)


def _frames(
    found: Inputs, predictor: Predictor, results: Folder, outcome: _Outcome
) -> Iterator[tuple[File, Frame]]:
    """All frames of all files; what cannot be read is told and left out."""
    from tqdm import tqdm

    from busjax import files
    from busjax.inference import images
    from busjax.inference.dicom import NoPicture

    bar = tqdm(found.files, unit="file", disable=not sys.stderr.isatty())

    def leave_out(path: epath.Path, reason: str) -> None:
        bar.write(f"left out: {files.shown(path)}: {reason}", file=sys.stderr)
        results.add_unreadable(path, reason)
        outcome.n_unreadable += 1

    for path, reason in found.unreadable:
        leave_out(path, reason)
    for file in bar:
        try:
            for frame in images.read(file.path, predictor.grey_range):
                yield file, frame
            outcome.n_read += 1
        except NoPicture as error:
            if file.is_given:
                leave_out(file.path, str(error))
            else:
                outcome.n_without += 1
        except UserError as error:
            leave_out(file.path, str(error))


def _batches(frames: Iterable[tuple[File, Frame]]) -> Iterator[list[tuple[File, Frame]]]:
    iterator = iter(frames)
    while batch := list(itertools.islice(iterator, _TOGETHER)):
        yield batch


if __name__ == "__main__":
    from busjax.allocator import restart_tuned

    restart_tuned()
    sys.exit(main())
