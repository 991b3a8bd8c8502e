"""Exports a trained network: to hand it over, or for programs without busjax.

    busjax export --workdir=RUN --format=folder|stablehlo|onnx [--out=FOLDER]

folder: weights (safetensors), model.json and model card, for busjax on another machine:
`busjax.load`, `busjax predict`, `busjax evaluate` and the rest take such a folder in the place of a
run. It names no image and no folder of this machine.

stablehlo, onnx: a file, with model.json beside it: classes, image size, where it comes from. It
maps `image` (b, H, W, 1) float32 in [0, 1] to `mask_probability` (b, H, W, 1) and
`class_probabilities` (b, 3), refined, for any b.

What is written is run on test images of the run and compared with the network.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from busjax.command_line import Parser
from busjax.errors import UserError, tell

if TYPE_CHECKING:
    from etils import epath

FORMATS = ("folder", "onnx", "stablehlo")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exports what the command line asks for and returns the exit code."""
    options = _parse(arguments)
    # JAX comes in when all that can be told without it has been told.
    from absl import logging

    logging.set_verbosity(logging.ERROR)
    try:
        path, difference = _export(options)
    except (UserError, OSError) as error:
        return tell(error)
    except KeyboardInterrupt:
        print("busjax: stopped; nothing was exported", file=sys.stderr)
        return 130
    print(f"{path}: differs from the network by {difference:.1e} at most")
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser("busjax export", __doc__ or "")
    parser.add_argument(
        "--workdir", "--network", required=True, metavar="NETWORK",
        help="folder of a run, one that was handed over, or the name of a packaged network",
    )  # fmt: skip
    parser.add_argument("--format", required=True, choices=FORMATS)
    parser.add_argument(
        "--out", metavar="FOLDER", help="[NETWORK/export; of a folder NETWORK/export/<name>]"
    )
    parser.add_argument(
        "--dtype", choices=("float32", "float16"), default="float32",
        help="of the weights of a folder; float16: half the size [float32]",
    )  # fmt: skip
    parser.add_argument(
        "--licence",
        default="",
        metavar="TEXT",
        help="of the weights of a folder [as it was handed over, else not stated]",
    )
    parser.add_argument(
        "--notes", default="", metavar="FILE",
        help="Markdown that is added to the model card of a folder: licences of the data, further "
        "scores, known weaknesses",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    of_folder = options.dtype != "float32" or options.licence or options.notes
    if options.format != "folder" and of_folder:
        parser.error("--dtype, --licence and --notes are for --format=folder")
    return options


def _export(options: argparse.Namespace) -> tuple[epath.Path, float]:
    """Where it was written, and the largest difference from the network."""
    from busjax import files
    from busjax.inference.export.convert import export, export_folder

    out = files.locate(options.out) if options.out else None
    if options.format != "folder":
        return export(options.workdir, options.format, out)
    notes = _text(files.locate(options.notes)) if options.notes else ""
    return export_folder(options.workdir, out, options.dtype, options.licence, notes)


def _text(path: epath.Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"--notes={path} is no text in UTF-8: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
