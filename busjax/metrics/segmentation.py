"""Pixels are counted once; every measure of overlap follows from the counts.

All measures are per image. Two empty masks agree (1); one empty mask and one that is not disagree
(0): the counting of Aumente-Maestro et al. (CMPB 2025, 108540), under which a normal image scores
1 when nothing is drawn on it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class PixelCounts(NamedTuple):
    """Pixels of each image by prediction and target, each (N,) int64."""

    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray
    tn: np.ndarray


def count_pixels(prediction: np.ndarray, target: np.ndarray) -> PixelCounts:
    """Counts the pixels of each image.

    Args:
        prediction: (N, H, W) bool, True inside the predicted lesion.
        target: (N, H, W) bool, True inside the annotated lesion.

    Raises:
        ValueError: the shapes differ or are not (N, H, W).
    """
    prediction, target = np.asarray(prediction, bool), np.asarray(target, bool)
    if prediction.ndim != 3 or prediction.shape != target.shape:
        raise ValueError(f"two (N, H, W) masks expected, got {prediction.shape}, {target.shape}")

    def count(pixels: np.ndarray) -> np.ndarray:
        return np.count_nonzero(pixels, axis=(1, 2)).astype(np.int64)

    return PixelCounts(
        tp=count(prediction & target),
        fp=count(prediction & ~target),
        fn=count(~prediction & target),
        tn=count(~prediction & ~target),
    )


def dice(counts: PixelCounts) -> np.ndarray:
    """Dice coefficient, 2 tp / (2 tp + fp + fn): (N,) float64 in [0, 1]."""
    tp, fp, fn, _ = _as_float(counts)
    return _share(2 * tp, 2 * tp + fp + fn, both_empty=tp + fp + fn == 0)


def iou(counts: PixelCounts) -> np.ndarray:
    """Intersection over union, tp / (tp + fp + fn): (N,) float64 in [0, 1]."""
    tp, fp, fn, _ = _as_float(counts)
    return _share(tp, tp + fp + fn, both_empty=tp + fp + fn == 0)


def precision(counts: PixelCounts) -> np.ndarray:
    """Share of the predicted pixels that are lesion, tp / (tp + fp): (N,) float64 in [0, 1]."""
    tp, fp, fn, _ = _as_float(counts)
    return _share(tp, tp + fp, both_empty=tp + fp + fn == 0)


def recall(counts: PixelCounts) -> np.ndarray:
    """Share of the lesion's pixels that are predicted, tp / (tp + fn): (N,) float64 in [0, 1]."""
    tp, fp, fn, _ = _as_float(counts)
    return _share(tp, tp + fn, both_empty=tp + fp + fn == 0)


def _as_float(counts: PixelCounts) -> PixelCounts:
    """Counts from a device are int32, where 2 tp could overflow; float64 holds them exactly."""
    return PixelCounts(*(np.asarray(count, np.float64) for count in counts))


def _share(part: np.ndarray, whole: np.ndarray, both_empty: np.ndarray) -> np.ndarray:
    """part / whole; 0 where only one mask is empty (there part is 0), 1 where both are."""
    return np.where(both_empty, 1.0, part / np.maximum(whole, 1.0))
