"""The numbers of a comparison, as tables of texts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from busjax.classes import CLASSES
from busjax.evaluation import scores
from busjax.evaluation.compare.paired import Difference
from busjax.evaluation.compare.published import Published
from busjax.evaluation.study import Study
from busjax.pages.numbers import UNDEFINED, number
from busjax.pages.tables import Table
from busjax.runs import results

COLUMNS = {
    "Dice": "dice_average",
    "benign": "dice_benign",
    "malignant": "dice_malignant",
    "normal": "dice_normal",
    "IoU": "iou_average",
    "accuracy": "accuracy",
    "F1 weighted": "f1_weighted",
    "AUC macro": "auc_macro",
}
_MORE = {
    "sensitivity, malignant": "sensitivity_at_90_malignant",
    "ECE": "ece",
    "ECE, scaled": "ece_scaled",
    "Brier": "brier",
    "Brier, scaled": "brier_scaled",
    "HD95": "hausdorff95",
    "ASSD": "distance",
    "outlines": "n_outlined",
    "lesions found": "lesion_sensitivity",
    "false lesions": "false_lesions",
    "mask, but normal": "n_mask_on_normal",
    "lesion, no mask": "n_lesion_without_mask",
}


def pooled(labels: Sequence[str], summaries: Sequence[dict[str, Any]]) -> Table:
    """Scores over all test images of each study, with their intervals."""
    rows = []
    for label, summary in zip(labels, summaries, strict=True):
        ends = summary["interval"]
        cells = [(str(summary["n_images"]), summary["protocol"])]
        cells += [
            (number(summary["pooled"].get(key)), _between(ends.get(key)))
            for key in COLUMNS.values()
        ]
        rows.append((label, cells))
    return Table(
        "All test images",
        "Over the images of all folds together, with 95 % intervals (percentile bootstrap, 2,000 "
        "resamples by group). Dice and IoU per image, then averaged; two empty masks agree (1), "
        "one empty mask does not (0). Benign, malignant, normal: Dice.",
        ("", "images", *COLUMNS),
        rows,
    )


def more(labels: Sequence[str], summaries: Sequence[dict[str, Any]]) -> Table:
    """Measures that fewer look for, over all test images of each study."""
    rows = [
        (label, [(number(summary["pooled"].get(key)), "") for key in _MORE.values()])
        for label, summary in zip(labels, summaries, strict=True)
    ]
    grids: dict[str, list[str]] = {}
    for label, summary in zip(labels, summaries, strict=True):
        grids.setdefault(summary["grid"], []).append(label)
    pixels = "; ".join(
        name if len(grids) == 1 else f"{name} ({', '.join(those)})" for name, those in grids.items()
    )
    return Table(
        "More measures",
        "Sensitivity to malignant at 90 % specificity. Expected calibration error in 15 bins, "
        "Brier score, and both after temperature scaling by the validation images. 95 % Hausdorff "
        "and average symmetric surface distance, over the images on which both masks have an "
        f"outline, in pixels of {pixels}. Lesions found (overlap of one half) and false lesions an "
        "image. Images whose mask and class contradict each other.",
        ("", *_MORE),
        rows,
    )


def over_folds(
    labels: Sequence[str], summaries: Sequence[dict[str, Any]], others: Sequence[Published]
) -> Table:
    """Mean and standard deviation over folds, as most publications give them, and theirs."""
    rows = [
        (label, [("ours", summary["protocol"]), *_spread(summary["mean"], summary["sd"])])
        for label, summary in zip(labels, summaries, strict=True)
    ]
    rows += [
        (other.name, [(f"published: {other.source}", other.protocol),
                      *_spread(other.scores, other.sd)])
        for other in others
    ]  # fmt: skip
    few = [
        f" {label}: {said}."
        for label, summary in zip(labels, summaries, strict=True)
        if (said := scores.few_folds(summary))
    ]
    beside = " Published scores are as printed, of other splits and other code." if others else ""
    return Table(
        "Mean over folds",
        f"Mean and standard deviation over test folds; of one split there is no spread.{beside}"
        + "".join(few),
        ("", "from", *COLUMNS),
        rows,
        frozenset(range(len(labels), len(rows))),
    )


def differences(labels: Sequence[str], baseline: str, measured: Sequence[Difference]) -> Table:
    """Each study minus the first one, on the same images."""
    rows = []
    for label, difference in zip(labels, measured, strict=True):
        cells = [(str(difference.n_images), "in common")]
        for key in COLUMNS.values():
            value, *ends = difference.scores.get(key, (math.nan,) * 3)
            cells.append((_signed(value), _between(ends, sign=True)))
        rows.append((label, cells))
    return Table(
        f"Minus {baseline}",
        "On the images that both were tested on, with 95 % intervals of the difference: both are "
        "scored on the same resamples. An interval that holds 0 shows no difference.",
        ("", "images", *COLUMNS),
        rows,
    )


def confusion(labels: Sequence[str], studies: Sequence[Study]) -> Table:
    """How many test images of each class were called what."""
    rows = [
        (label, [(str(count), "") for count in results.confusion(one.rows).flat])
        for label, one in zip(labels, studies, strict=True)
    ]
    return Table(
        "Predicted classes",
        "Test images by their class and by what they were called.",
        ("", *(f"{truth}, called {called}" for truth in CLASSES for called in CLASSES)),
        rows,
    )


def _signed(value: float) -> str:
    return UNDEFINED if math.isnan(value) else f"{value:+.3f}"


def _between(ends: Sequence[float | None] | None, sign: bool = False) -> str:
    form = "{:+.3f}" if sign else "{:.3f}"
    known = [form.format(end) for end in ends or () if end is not None and not math.isnan(end)]
    return f"[{', '.join(known)}]" if known else ""


def _spread(mean: Mapping[str, float | None], sd: Mapping[str, float | None]) -> list[Any]:
    cells = []
    for key in COLUMNS.values():
        spread = number(sd.get(key))
        cells.append((number(mean.get(key)), "" if spread == UNDEFINED else f"± {spread}"))
    return cells
