"""Draws the page of a finished run again.

busjax report RUN [--overlays=FILE.png]
"""

from __future__ import annotations

import sys

from busjax import files
from busjax.command_line import Parser
from busjax.errors import UserError, tell


def main(arguments: list[str] | None = None) -> int:
    """Writes the report of a run folder; 1 and one line when that cannot be done."""
    parser = Parser("busjax report", __doc__ or "")
    parser.add_argument("run", type=files.argument, help="folder of the run, e.g. runs/unet")
    parser.add_argument(
        "--overlays", type=files.argument, metavar="PNG", help="also a picture of overlays"
    )
    options = parser.parse_args(arguments)
    from busjax.evaluation.report import cases
    from busjax.evaluation.report.run_page import write_report

    try:
        print(write_report(options.run))
        if options.overlays:
            cases.overlay_figure(options.run, options.overlays)
            print(options.overlays)
    except (UserError, OSError) as error:
        return tell(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
