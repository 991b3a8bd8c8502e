"""How much better images are scored whose duplicates were in the training part.

    python -m busjax.benchmark.leak --grouped=DIR --images=DIR --letter=LETTER.csv

Two cross-validations of one configuration: folds grouped by the list, and folds that know no
groups. Images with a duplicate gain from what leaks, the others show the luck of the folds.
"""

from __future__ import annotations

import argparse
import collections
import sys
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from busjax import files
from busjax.data.curation import read_list
from busjax.errors import UserError, tell
from busjax.evaluation import study
from busjax.metrics import bootstrap
from busjax.runs.rows import ImageRow

_SCORES: dict[str, Callable[[ImageRow], float]] = {
    "Dice": lambda row: row.dice,
    "accuracy": lambda row: float(row.class_name == row.predicted),
}


def difference(
    first: Mapping[str, Sequence[float]], second: Mapping[str, Sequence[float]]
) -> tuple[float, float, float]:
    """Mean of the second minus mean of the first, with its 95 % interval.

    Both are scored on the same resamples of their groups (`metrics.bootstrap`).

    Args:
        first: the scores of each group's images, by its name.
        second: likewise, of other images.
    """
    groups = [name for of in (first, second) for name, scores in of.items() for _ in scores]
    values = np.array(
        [score for of in (first, second) for scores in of.values() for score in scores]
    )
    count = sum(map(len, first.values()))

    def minus(times: np.ndarray) -> np.ndarray:
        parts = (slice(count, None), slice(count))
        with np.errstate(invalid="ignore"):  # a resample may leave one of them empty
            second, first = (times[:, p] @ values[p] / times[:, p].sum(1) for p in parts)
        return second - first

    whole = float(minus(np.ones((1, len(values))))[0])
    return whole, *bootstrap.interval(minus(bootstrap.draw(groups)))


def table(
    grouped: Sequence[ImageRow], images: Sequence[ImageRow], groups: Mapping[str, object]
) -> list[str]:
    """Lines of a Markdown table: all images, those in one of `groups`, those in none."""
    lines = ["| images | grouped | by image | Dice | accuracy |", "|---|---|---|---|---|"]
    kinds: dict[str, Callable[[ImageRow], bool]] = {
        "all": lambda row: True,
        "with a duplicate": lambda row: row.id in groups,
        "without": lambda row: row.id not in groups,
    }
    for name, belongs in kinds.items():
        parts = [[row for row in rows if belongs(row)] for rows in (grouped, images)]
        cells = []
        for score in _SCORES.values():
            pair = [_by_group(part, groups, score) for part in parts]
            means = [float(np.mean([score(row) for row in part])) for part in parts]
            effect = difference(*pair)
            cells.append(
                f"{means[0]:.3f} to {means[1]:.3f}: "
                f"{effect[0]:+.3f} [{effect[1]:+.3f}, {effect[2]:+.3f}]"
            )
        counts = " | ".join(str(len(part)) for part in parts)
        lines.append(f"| {name} | {counts} | {' | '.join(cells)} |")
    return lines


def _by_group(
    rows: Sequence[ImageRow], groups: Mapping[str, object], score: Callable[[ImageRow], float]
) -> dict[str, list[float]]:
    scores: dict[str, list[float]] = {}
    for row in rows:
        scores.setdefault(str(groups.get(row.id, row.id)), []).append(score(row))
    return scores


def _read(directory: str) -> list[ImageRow]:
    """The test images of the folds that are there."""
    folder = files.locate(directory)
    return study.read(folder, study.indices(folder) if folder.is_dir() else ()).rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m busjax.benchmark.leak")
    parser.add_argument("--grouped", required=True, help="cross-validation with grouped folds")
    parser.add_argument("--images", required=True, help="the same with folds drawn by image")
    parser.add_argument("--letter", required=True, help="list of the groups")
    options = parser.parse_args(arguments)
    try:
        groups = read_list(files.locate(options.letter)).groups
        grouped, images = _read(options.grouped), _read(options.images)
    except UserError as error:
        return tell(error)
    sizes = collections.Counter(groups.values())
    shared = {id: group for id, group in groups.items() if sizes[group] > 1}
    print("\n".join(table(grouped, images, shared)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
