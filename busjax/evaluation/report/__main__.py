"""Draws the page of a finished run again.

python -m busjax.evaluation.report RUN [--overlays=FILE.png]
"""

from __future__ import annotations

import argparse
import sys

from busjax import files
from busjax.errors import UserError
from busjax.evaluation.report import cases
from busjax.evaluation.report.run_page import write_report


def main(arguments: list[str] | None = None) -> int:
    """Writes the report of a run folder; 1 and one line when that cannot be done."""
    parser = argparse.ArgumentParser(
        prog="python -m busjax.evaluation.report",
        description="Writes report.html in the folder of a run.",
    )
    parser.add_argument("run", type=files.argument, help="folder of the run, e.g. runs/unet")
    parser.add_argument(
        "--overlays", type=files.argument, metavar="PNG", help="also a picture of overlays"
    )
    options = parser.parse_args(arguments)
    try:
        print(write_report(options.run))
        if options.overlays:
            cases.overlay_figure(options.run, options.overlays)
            print(options.overlays)
    except (UserError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
