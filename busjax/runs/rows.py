"""What an evaluation keeps of each image: one line of images.csv."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from busjax.classes import CLASSES
from busjax.metrics import segmentation
from busjax.metrics.boundary import Distances
from busjax.metrics.detection import Lesions
from busjax.metrics.segmentation import PixelCounts


@dataclasses.dataclass(frozen=True)
class ImageRow:
    """One image of the test set; the fields are the columns of images.csv, in its order.

    Attributes:
        id: of the record.
        group: of the record.
        class_name: the true class in words (column 'class').
        predicted: the most probable class in words.
        p_benign, p_malignant, p_normal: predicted probabilities of the classes, in [0, 1].
        dice, iou: overlap of the predicted mask with the annotation, in [0, 1].
        tp, fp, fn, tn: pixels.
        hausdorff95, distance: of the outlines, in pixels, see `metrics.boundary`; None where a
            mask is empty, and in tables of earlier versions.
        lesions, found, false: annotated, found and false lesions, see `metrics.detection`; None in
            tables of earlier versions.
        set: name of the set, where several were joined.
        mask_uncertainty, class_uncertainty, contradiction, mask_disagreement, class_disagreement:
            in [0, 1], see `models.uncertainty`; disagreements are None where there is one view.
        novelty: distance to what the network knows, see `networks.familiarity`.
        doubt: in [0, 1], share of the validation images that are less doubtful in any of these.
        abstains: 1 where the network says 'I do not know', else 0. These three are None where too
            few validation images tell of it, and all eight in tables of earlier versions.
    """

    id: str
    group: str
    class_name: str
    predicted: str
    p_benign: float
    p_malignant: float
    p_normal: float
    dice: float
    iou: float
    tp: int
    fp: int
    fn: int
    tn: int
    hausdorff95: float | None = None
    distance: float | None = None
    lesions: int | None = None
    found: int | None = None
    false: int | None = None
    set: str | None = None
    mask_uncertainty: float | None = None
    class_uncertainty: float | None = None
    contradiction: float | None = None
    mask_disagreement: float | None = None
    class_disagreement: float | None = None
    novelty: float | None = None
    doubt: float | None = None
    abstains: int | None = None

    def __post_init__(self) -> None:
        for name in (self.class_name, self.predicted):
            if name not in CLASSES:
                raise ValueError(f"class {name!r} is none of {', '.join(CLASSES)}")

    @property
    def probabilities(self) -> tuple[float, float, float]:
        """Of the classes, in the order of `CLASSES`."""
        return self.p_benign, self.p_malignant, self.p_normal


def _or_none(cast: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: cast(text) if text else None


# What turns a cell into a value, by column; the first ones were there from the beginning.
COLUMNS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("id", "group", "class", "predicted"), str),
    **dict.fromkeys(("p_benign", "p_malignant", "p_normal", "dice", "iou"), float),
    **dict.fromkeys(("tp", "fp", "fn", "tn"), int),
    **dict.fromkeys(("hausdorff95", "distance"), _or_none(float)),
    **dict.fromkeys(("lesions", "found", "false"), _or_none(int)),
    "set": _or_none(str),
    **dict.fromkeys(("mask_uncertainty", "class_uncertainty", "contradiction"), _or_none(float)),
    **dict.fromkeys(("mask_disagreement", "class_disagreement"), _or_none(float)),
    **dict.fromkeys(("novelty", "doubt"), _or_none(float)),
    "abstains": _or_none(int),
}
_EARLIER = (13, 18, 19)  # columns of the tables of earlier versions


def make_rows(
    ids: Sequence[str],
    groups: Sequence[str],
    labels: np.ndarray,
    probabilities: np.ndarray,
    counts: PixelCounts,
    distances: Distances | None = None,
    lesions: Lesions | None = None,
    sets: Sequence[str] | None = None,
) -> list[ImageRow]:
    """One row an image.

    Args:
        ids, groups: N names.
        labels: (N,) int, indices into `CLASSES`.
        probabilities: (N, 3) in [0, 1], of the classes.
        counts: pixels of the N images.
        distances, lesions: of the N images.
        sets: N names of their sets, where several were joined.
    """
    more = [[None if math.isnan(x) else x for x in column.tolist()] for column in distances or ()]
    more += [column.tolist() for column in lesions or ()]
    columns = (
        ids,
        groups,
        [CLASSES[label] for label in labels],
        [CLASSES[label] for label in probabilities.argmax(axis=1)],
        *probabilities.T.tolist(),
        segmentation.dice(counts).tolist(),
        segmentation.iou(counts).tolist(),
        *(np.asarray(count).tolist() for count in counts),
        *more,
    )
    rows = [ImageRow(*cells) for cells in zip(*columns, strict=True)]
    if sets is None:
        return rows
    return [dataclasses.replace(row, set=name) for row, name in zip(rows, sets, strict=True)]


def to_csv(rows: Sequence[ImageRow]) -> str:
    """The rows as a table with a header, UTF-8 to be."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(dataclasses.astuple(row) for row in rows)
    return text.getvalue()


def from_csv(text: str) -> list[ImageRow]:
    """The rows of a table that `to_csv` wrote, or an earlier version of it.

    Raises:
        ValueError: it is no such table; the message says where.
    """
    header, *lines = list(csv.reader(io.StringIO(text, newline=""))) or [[]]
    names = list(COLUMNS)
    if header not in (names, *(names[:count] for count in _EARLIER)):
        raise ValueError(f"the header is not {','.join(names)}")
    casts = list(COLUMNS.values())[: len(header)]
    rows = []
    for number, line in enumerate(lines, 2):
        try:
            row = ImageRow(*(cast(cell) for cast, cell in zip(casts, line, strict=True)))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
        rows.append(row)
    return rows
