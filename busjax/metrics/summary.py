"""From one line an image to one line a run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from busjax.classes import CLASSES
from busjax.metrics import classification, segmentation
from busjax.metrics.segmentation import PixelCounts


def summarise(
    labels: np.ndarray, probabilities: np.ndarray, counts: PixelCounts
) -> dict[str, float]:
    """Every score of a set of images, by name.

    '_average' is the mean over all images (not over the classes); '_benign', '_malignant' and
    '_normal' are over the images of that class. The predicted class is the most probable one.
    A class without images gives nan, and so does `auc_macro`, the mean over the three classes.

    Args:
        labels: (N,) int, indices into `CLASSES`.
        probabilities: (N, 3) in [0, 1], of the classes.
        counts: pixels of the N images, of the masks as they are delivered (after refinement).

    Raises:
        ValueError: there are no images, or the lengths differ.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    _check_shapes(labels, probabilities, counts)
    predictions = probabilities.argmax(axis=1)
    dice, iou = segmentation.dice(counts), segmentation.iou(counts)
    auc = classification.auc(labels, probabilities)
    return {
        "n_images": len(labels),
        **_by_class("n", np.bincount(labels, minlength=len(CLASSES))),
        "dice_average": float(dice.mean()),
        **_by_class("dice", _over_classes(np.mean, dice, labels)),
        "dice_median": float(np.median(dice)),
        **_by_class("dice_median", _over_classes(np.median, dice, labels)),
        "iou_average": float(iou.mean()),
        **_by_class("iou", _over_classes(np.mean, iou, labels)),
        "accuracy": classification.accuracy(labels, predictions),
        "balanced_accuracy": classification.balanced_accuracy(labels, predictions),
        **_by_class("sensitivity", classification.sensitivity(labels, predictions)),
        "f1_weighted": classification.f1_weighted(labels, predictions),
        **_by_class("f1", classification.f1(labels, predictions)),
        "auc_macro": float(auc.mean()),
        **_by_class("auc", auc),
    }


def _check_shapes(labels: np.ndarray, probabilities: np.ndarray, counts: PixelCounts) -> None:
    n = len(labels)
    if n == 0:
        raise ValueError("no images to summarise")
    if probabilities.shape != (n, len(CLASSES)) or any(len(count) != n for count in counts):
        raise ValueError(
            f"{n} labels, but probabilities {probabilities.shape} and {len(counts.tp)} counts"
        )


def _over_classes(
    statistic: Callable[[np.ndarray], float], values: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """The statistic of the values of each class: (3,) float64, nan for a class without images."""
    members = [values[labels == index] for index in range(len(CLASSES))]
    return np.array([statistic(member) if member.size else np.nan for member in members])


def _by_class(name: str, values: np.ndarray) -> dict[str, float]:
    return {f"{name}_{word}": value for word, value in zip(CLASSES, values.tolist(), strict=True)}
