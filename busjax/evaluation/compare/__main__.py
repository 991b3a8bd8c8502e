"""Runs and cross-validations side by side.

    busjax compare DIR... --out=FILE.html

The first one is compared with each other one.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from etils import epath

from busjax import files
from busjax.command_line import Parser
from busjax.errors import UserError, tell
from busjax.evaluation.compare import SHOWN, TABLES

if TYPE_CHECKING:
    from busjax.evaluation.study import Study


def main(arguments: list[str] | None = None) -> int:
    """Writes the page, its tables as Markdown, the picture; 1 and one line when that fails."""
    options = _parser().parse_args(arguments)
    try:
        _compare(options)
    except (UserError, OSError) as error:
        return tell(error)
    return 0


def _compare(options: argparse.Namespace) -> None:
    # What draws and resamples takes a second to import.
    from busjax.evaluation.compare import charts, comparison_page, picture, published

    if len({os.fspath(folder) for folder in options.folders}) < len(options.folders):
        raise UserError("a folder is given twice")
    studies = [_read(folder, options.folds) for folder in options.folders]
    others = published.read(options.published) if options.published else []
    labels = comparison_page.names(studies)
    drawn = options.picture or options.curves
    if options.out or not drawn:
        shown = comparison_page.all_tables(labels, studies, others, options.tables)
        text = comparison_page.markdown(studies, shown)
    if options.out:
        _write(options.out, comparison_page.html(labels, studies, shown, options.out))
        _write(options.out.with_suffix(".md"), text.encode())
    elif not drawn:
        print(text)
    if options.curves:
        _write(options.curves, charts.curves(labels, studies))
    if options.picture:
        _write(options.picture, picture.draw(labels, studies, options.cases))


def _read(folder: epath.Path, folds: tuple[int, ...]) -> Study:
    """A study, or DIR@NAME: its results in the folders evaluation_NAME."""
    from busjax.evaluation import study
    from busjax.runs import results

    place, sign, name = os.fspath(folder).rpartition("@")
    if not sign or folder.exists():
        return study.read(folder, folds)
    return study.read(place, folds, f"{results.FOLDER}_{name}")


def _write(path: epath.Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    files.replace(path, content)
    print(path)


def _parser() -> argparse.ArgumentParser:
    parser = Parser("busjax compare", __doc__ or "")
    parser.add_argument(
        "folders", nargs="+", type=files.argument, metavar="DIR",
        help="folder of a run or of a cross-validation; DIR@NAME: its evaluation of that name",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=files.argument, metavar="FILE.html",
        help="the page; the tables go into FILE.md besides [the tables on the terminal]",
    )  # fmt: skip
    parser.add_argument(
        "--folds", type=_folds, default=(), metavar="0,1", help="these folds only [all]"
    )
    parser.add_argument(
        "--tables", type=_tables, default=SHOWN, metavar="NAME,NAME",
        help=f"of {', '.join(TABLES)}, these only "
        f"[{', '.join(SHOWN)}]",
    )  # fmt: skip
    parser.add_argument(
        "--published", type=files.argument, metavar="FILE.csv",
        help="scores of others: name,source,protocol,dice_average,dice_average_sd,...",
    )  # fmt: skip
    parser.add_argument(
        "--picture", type=files.argument, metavar="FILE.png",
        help="test images in rows; image, truth and each network in columns",
    )  # fmt: skip
    parser.add_argument(
        "--curves", type=files.argument, metavar="FILE.png",
        help="validation scores by epoch, and accuracy by confidence on test, of each network",
    )  # fmt: skip
    parser.add_argument(
        "--cases", type=lambda text: tuple(text.split(",")), default=(), metavar="ID,ID",
        help="images of the picture [of each class one of median Dice]",
    )  # fmt: skip
    return parser


def _tables(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := set(names) - set(TABLES):
        known = ", ".join(TABLES)
        raise argparse.ArgumentTypeError(f"'{min(unknown)}' is none of {known}")
    return names


def _folds(text: str) -> tuple[int, ...]:
    words = text.split(",")
    if not all(word.isascii() and word.isdecimal() for word in words):
        raise argparse.ArgumentTypeError(f"'{text}' is no list of folds, such as 0,1")
    return tuple(map(int, words))


if __name__ == "__main__":
    sys.exit(main())
