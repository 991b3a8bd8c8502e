"""What is said of a network on a set that it has not seen, with intervals by patient."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from busjax.classes import CLASSES, MALIGNANT, NORMAL
from busjax.metrics import bootstrap, calibration
from busjax.runs import results
from busjax.runs.rows import ImageRow

SCORES = {
    "lesion Dice": "dice_lesions",
    "Dice": "dice_all",
    "HD95": "hausdorff95",
    "AUC": "auc",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "AUC of a lesion": "auc_lesion",
    "normal with a mask": "mask_on_normal",
    "ECE": "ece",
    "kept": "kept",
    "lesion Dice of the kept": "dice_lesions_kept",
}
"""Scores by the name that a reader knows them by."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """Scores of a network on some images.

    Attributes:
        counts: images of each class.
        scores: by the values of `SCORES`; nan where there is no image to say it of.
        intervals: 95 % of 2,000 resamples, drawn by patient.
    """

    counts: tuple[int, int, int]
    scores: dict[str, float]
    intervals: dict[str, tuple[float, float]]


def malignancy(probabilities: np.ndarray) -> np.ndarray:
    """The probability of malignant, given a lesion: (N, 3) -> (N,) in [0, 1]."""
    lesion = np.delete(probabilities, NORMAL, axis=1).sum(axis=1)
    return probabilities[:, MALIGNANT] / np.maximum(lesion, 1e-12)


def frozen_threshold(validation: Sequence[ImageRow]) -> float | None:
    """The threshold of malignancy with the highest sensitivity plus specificity on these images.

    (Youden, Index for rating diagnostic tests, Cancer 3, 1950.) None: they lack one of the classes.
    """
    if not validation:
        return None
    labels, probabilities = results.labels_and_probabilities(validation)
    score, lesion = malignancy(probabilities), labels != NORMAL
    malignant, score = labels[lesion] == MALIGNANT, score[lesion]
    if malignant.all() or not malignant.any():
        return None
    levels = np.unique(score)
    ends = np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2, [1.0]])
    youden = [(score[malignant] >= t).mean() + (score[~malignant] < t).mean() for t in ends]
    return float(ends[int(np.argmax(youden))])


def measure(rows: Sequence[ImageRow], threshold: float) -> Measured:
    """Scores of some images, each beside its interval.

    'dice_lesions' and 'hausdorff95' are over images with a lesion (the latter where both masks have
    an outline), 'dice_all' over all; 'auc', 'sensitivity' and 'specificity' are of malignant
    against benign, by `malignancy` and the threshold; 'auc_lesion' is of images with a lesion
    against normal ones, by the probability of 'normal'; 'mask_on_normal' is the share of normal
    images with a mask; 'ece' is the expected calibration error of the three classes; 'kept' is the
    share of the images of which the network does not say 'I do not know', nan where it cannot, and
    'dice_lesions_kept' the Dice of those among them with a lesion.
    """
    labels, probabilities = results.labels_and_probabilities(rows)
    once = np.ones((1, len(rows)))
    drawn = bootstrap.draw([row.group for row in rows]).astype(np.float64)
    point, resampled = (_scores(times, rows, labels, probabilities, threshold)
                        for times in (once, drawn))  # fmt: skip
    scores = {name: float(values[0]) for name, values in point.items()}
    return Measured(
        tuple(np.bincount(labels, minlength=len(CLASSES)).tolist()),
        {**scores, "ece": calibration.expected_error(labels, probabilities)},
        {name: bootstrap.interval(values) for name, values in resampled.items()},
    )


def _scores(
    times: np.ndarray,
    rows: Sequence[ImageRow],
    labels: np.ndarray,
    probabilities: np.ndarray,
    threshold: float,
) -> dict[str, np.ndarray]:
    """Scores of R resamples, each (R,)."""
    dice = np.array([row.dice for row in rows])
    distance = np.array([math.nan if row.hausdorff95 is None else row.hausdorff95 for row in rows])
    drawn = np.array([row.tp + row.fp > 0 for row in rows])
    says = [row.abstains is not None for row in rows]
    kept = np.array([row.abstains == 0 for row in rows])
    score, lesion, malignant = malignancy(probabilities), labels != NORMAL, labels == MALIGNANT
    known = np.isfinite(distance)
    called = score >= threshold

    def mean(values: np.ndarray, of: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # 0 / 0 is the nan that is wanted
            total: np.ndarray = times[:, of] @ values[of] / times[:, of].sum(axis=1)
        return total

    with np.errstate(invalid="ignore"):
        auc = bootstrap.auc(times * lesion, malignant.astype(float), score)
        auc_lesion = bootstrap.auc(times, lesion.astype(float), 1 - probabilities[:, NORMAL])
    return {
        "dice_lesions": mean(dice, lesion),
        "dice_all": mean(dice, np.ones_like(lesion)),
        "hausdorff95": mean(distance, known),
        "auc": auc,
        "sensitivity": mean(called.astype(float), malignant),
        "specificity": mean(~called * 1.0, lesion & ~malignant),
        "auc_lesion": auc_lesion,
        "mask_on_normal": mean(drawn.astype(float), ~lesion),
        "kept": mean(kept.astype(float), np.full(len(rows), all(says))),
        "dice_lesions_kept": mean(dice, lesion & kept),
    }
