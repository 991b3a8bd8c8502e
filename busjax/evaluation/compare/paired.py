"""What one network does better than another on the same images."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from busjax.errors import UserError
from busjax.evaluation import scores
from busjax.evaluation.study import Study
from busjax.metrics import bootstrap
from busjax.runs.rows import ImageRow


@dataclasses.dataclass(frozen=True)
class Difference:
    """Scores of a study minus those of another, on the images that both were tested on.

    Attributes:
        n_images: that both have; none: there are no scores.
        scores: difference, and the two ends of its 95 % interval.
    """

    n_images: int
    scores: dict[str, tuple[float, float, float]]


def difference(one: Study, other: Study) -> Difference:
    """Compares two studies image by image; the resamples are the same groups for both.

    Raises:
        UserError: an image is of another class in the other study.
    """
    theirs = {row.id: row for row in other.rows}
    ours = [row for row in one.rows if row.id in theirs]
    if not ours:
        return Difference(0, {})
    for row in ours:
        if row.class_name != theirs[row.id].class_name:
            raise UserError(
                f"'{row.id}' is {row.class_name} in {one.folder} and "
                f"{theirs[row.id].class_name} in {other.folder}: these are not the same data"
            )
    groups = [row.group for row in ours]
    sets = ours, [theirs[row.id] for row in ours]
    whole = _minus(*(_scores(rows) for rows in sets))
    resampled = _minus(*(scores.resampled(rows, groups) for rows in sets))
    return Difference(
        len(ours),
        {name: (float(whole[name][0]), *bootstrap.interval(resampled[name])) for name in whole},
    )


def _scores(rows: Sequence[ImageRow]) -> dict[str, np.ndarray]:
    return bootstrap.scores(np.ones((1, len(rows))), scores.measured(rows))


def _minus(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: a[name] - b[name] for name in a}
