"""Lines of `unseen.csv` as a table for documents.

python -m busjax.evaluation.unseen.markdown unseen.csv [OTHER.csv ...]
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

from busjax.command_line import Parser
from busjax.errors import UserError, tell
from busjax.evaluation.unseen.measure import SCORES
from busjax.pages.numbers import UNDEFINED

_COUNTS = ("benign", "malignant", "normal")


def main(arguments: list[str] | None = None) -> int:
    """Does what the command line asks for and returns the exit code."""
    parser = Parser("python -m busjax.evaluation.unseen.markdown", __doc__ or "")
    parser.add_argument("tables", nargs="+", metavar="CSV", help="as busjax unseen writes it")
    parser.add_argument("--scanners", action="store_true", help="a line a scanner as well")
    options = parser.parse_args(arguments)
    try:
        lines = [line for name in options.tables for line in _lines(Path(name))]
    except UserError as error:
        return tell(error)
    print("\n".join(_table([x for x in lines if options.scanners or not x["scanner"]])))
    return 0


def _lines(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    wanted = {"network", "tested on", "scanner", *_COUNTS, *SCORES.values()}
    for line in lines:
        if missing := sorted(wanted - line.keys()):
            raise UserError(f"{path} is no unseen.csv of this version: it lacks {missing[0]}")
    return lines


def _table(lines: list[dict[str, str]]) -> Iterator[str]:
    head = ("network", "tested on", "images", *SCORES)
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for line in lines:
        scanner = f", {line['scanner']}" if line["scanner"] else ""
        images = str(sum(int(line[name]) for name in _COUNTS))
        cells = [line["network"], f"{line['tested on']}{scanner}", images]
        cells += [_cell(line, key) for key in SCORES.values()]
        yield f"| {' | '.join(cells)} |"


def _cell(line: dict[str, str], key: str) -> str:
    """A score and its interval, to three digits."""
    value, low, high = (float(line[f"{key}{end}"]) for end in ("", "_low", "_high"))
    if value != value:
        return UNDEFINED
    ends = f" [{low:.3f}, {high:.3f}]" if low == low else ""
    return f"{value:.3f}{ends}"


if __name__ == "__main__":
    sys.exit(main())
