"""The numbers of the report: cards, scores by class and set, every image."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from busjax.classes import CLASSES
from busjax.evaluation import grid
from busjax.pages.numbers import number
from busjax.pages.tables import Cell, Listing, Table
from busjax.runs import results
from busjax.runs.finished import Run
from busjax.runs.rows import ImageRow

_COLUMNS = {  # heading: the score of a class, the score of all images
    "n": ("n_{}", "n_images"),
    "Dice, mean": ("dice_{}", "dice_average"),
    "Dice, median": ("dice_median_{}", "dice_median"),
    "IoU, mean": ("iou_{}", "iou_average"),
    "sensitivity": ("sensitivity_{}", "balanced_accuracy"),
    "F1": ("f1_{}", "f1_weighted"),
    "AUC": ("auc_{}", "auc_macro"),
}
_MORE = {
    "sensitivity to malignant at 90 % specificity": "sensitivity_at_90_malignant",
    "expected calibration error": "ece",
    "Brier score": "brier",
    "negative log-likelihood": "nll",
    "class normal, but a mask": "n_mask_on_normal",
    "class of a lesion, but no mask": "n_lesion_without_mask",
    "Hausdorff distance, 95 %, mean": "hausdorff95",
    "the same, median": "hausdorff95_median",
    "average distance of the outlines": "distance",
    "images with both outlines": "n_outlined",
    "lesions found": "lesion_sensitivity",
    "false lesions an image": "false_lesions",
}
_KEPT = {
    "images without 'I do not know'": "n_kept",
    "their Dice": "dice_kept",
    "their accuracy": "accuracy_kept",
    "Dice of the least doubtful 80 %": "dice_at_80",
    "accuracy of those 80 %": "accuracy_at_80",
    "Dice, mean over all shares": "dice_over_coverages",
    "accuracy, mean over all shares": "accuracy_over_coverages",
}
_BY_GRID = {
    "Dice": "dice_average",
    "benign": "dice_benign",
    "malignant": "dice_malignant",
    "normal": "dice_normal",
    "IoU": "iou_average",
    "HD95": "hausdorff95",
    "ASSD": "distance",
}
_ALL = [key for _, key in _COLUMNS.values()]


@dataclasses.dataclass(frozen=True)
class Card:
    """One score in large figures.

    Attributes:
        name: of the score.
        value: in [0, 1], or nan.
        note: below it.
    """

    name: str
    value: float
    note: str

    @property
    def percent(self) -> float:
        return 0.0 if math.isnan(self.value) else 100 * self.value


def cards(run: Run) -> list[Card]:
    """The four scores that a reader looks for first."""
    scores = run.scores
    return [
        Card("Dice average", scores["dice_average"], f"mean per image, n = {scores['n_images']}"),
        Card("Accuracy", scores["accuracy"], f"balanced {number(scores['balanced_accuracy'])}"),
        Card("F1 weighted", scores["f1_weighted"], "by the size of the classes"),
        Card("AUC macro", scores["auc_macro"], "mean of one against rest"),
    ]


def by_class(run: Run) -> Table:
    """A row a class, and one of all images."""
    rows = [
        (name, _cells(run.scores, [key.format(name) for key, _ in _COLUMNS.values()]))
        for name in CLASSES
    ]
    return Table(
        "By class",
        "Dice and IoU: per image, then averaged; two empty masks agree (1), one empty mask does not"
        " (0). In the last row sensitivity is balanced accuracy, F1 is weighted by class size, AUC"
        " is the mean of the classes.",
        ("class", *_COLUMNS),
        [*rows, ("all", _cells(run.scores, _ALL))],
        frozenset([len(rows)]),
        "all",
    )


def by_set(run: Run) -> Table | None:
    """A row a set, where several were joined; None where there is one."""
    sets = results.scores_by_set(run.rows)
    if not sets:
        return None
    rows = [(name, _cells(scores, _ALL)) for name, scores in sets.items()]
    return Table("By set", "", ("set", *_COLUMNS), rows)


def _cells(scores: dict[str, float], keys: Sequence[str]) -> list[tuple[str, str]]:
    return [(number(scores[key]), "") for key in keys]


def more(run: Run) -> dict[str, str]:
    """The measures that few look for first, with their names."""
    return {name: number(run.scores[key]) for name, key in _MORE.items() if key in run.scores}


def kept(run: Run) -> dict[str, str]:
    """Scores of the images with the least doubt, with their names; none where none is known."""
    return {name: number(run.scores[key]) for name, key in _KEPT.items() if key in run.scores}


def by_grid(run: Run) -> Table | None:
    """Scores in the original images and as the network sees them; None where one is known."""
    if f"{grid.OTHER}{_BY_GRID['Dice']}" not in run.facts:
        return None
    size = int(run.config["data.image_size"])
    others = [_or_nan(run.facts[f"{grid.OTHER}{key}"]) for key in _BY_GRID.values()]
    return Table(
        "By grid",
        "Masks compared in the pixels of the original image, to which the mask is resized, and as "
        "the network sees it. All other scores of this page are of the former.",
        ("", *_BY_GRID),
        [
            ("original image", _cells(run.scores, list(_BY_GRID.values()))),
            (f"{size} x {size}", [(number(value), "") for value in others]),
        ],
    )


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def confusion(rows: Sequence[ImageRow]) -> dict[str, list[int]]:
    """Of each true class the images that were given each class, in the order of `CLASSES`."""
    return dict(zip(CLASSES, results.confusion(rows).tolist(), strict=True))


def images(rows: Sequence[ImageRow]) -> Listing:
    """A row an image of the test set, in the order of images.csv."""
    sets = any(row.set for row in rows)
    head = ("image", *(["set"] if sets else []), "class", "predicted", *CLASSES, "Dice", "IoU")
    return Listing(
        "Every image",
        "Benign, malignant, normal: probabilities of the classes.",
        head,
        [_image(row, sets) for row in rows],
        ("set", "class", "predicted") if sets else ("class", "predicted"),
    )


def _image(row: ImageRow, sets: bool) -> list[Cell]:
    wrong = "" if row.predicted == row.class_name else "wrong"
    numbers = (*row.probabilities, row.dice, row.iou)
    return [
        Cell(row.id),
        *([Cell(row.set or "")] if sets else []),
        Cell(row.class_name),
        Cell(row.predicted, mark=wrong),
        *(Cell(number(value)) for value in numbers),
    ]
