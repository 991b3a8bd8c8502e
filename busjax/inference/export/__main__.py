"""Exports a trained network for programs without busjax.

    busjax export --workdir=RUN --format=stablehlo|onnx

The file goes to RUN/export/, with model.json beside it: classes, image size, where it comes from.
It maps `image` (b, H, W, 1) float32 in [0, 1] to `mask_probability` (b, H, W, 1) and
`class_probabilities` (b, 3), refined, for any b. Before it is put there it is run on the run's own
test images and compared with the network.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from busjax.command_line import Parser
from busjax.errors import UserError, tell

FORMATS = ("onnx", "stablehlo")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exports what the command line asks for and returns the exit code."""
    parser = Parser("busjax export", __doc__ or "")
    parser.add_argument("--workdir", required=True, help="folder of the run, e.g. runs/unetpp")
    parser.add_argument("--format", required=True, choices=FORMATS)
    options = parser.parse_args(arguments)
    # JAX comes in when all that can be told without it has been told.
    from absl import logging

    from busjax import files
    from busjax.inference.export.convert import export

    logging.set_verbosity(logging.ERROR)
    try:
        path, difference = export(files.locate(options.workdir), options.format)
    except UserError as error:
        return tell(error)
    except KeyboardInterrupt:
        print("busjax: stopped; nothing was exported", file=sys.stderr)
        return 130
    print(f"{path}: differs from the network by {difference:.1e} at most")
    return 0


if __name__ == "__main__":
    sys.exit(main())
