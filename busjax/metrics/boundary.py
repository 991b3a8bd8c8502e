"""Distances between the outlines of two masks, in pixels.

Defined only where both masks have a lesion; elsewhere nan, to be counted apart: a number such as
the image's diagonal would be a choice of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy  # its parts are imported when they are first used


class Distances(NamedTuple):
    """Of each image, (N,) float64, in pixels.

    Attributes:
        hausdorff95: 95th percentile of the distances of either outline to the other (Huttenlocher
            1993, with a percentile in place of the maximum), both directions taken together.
        average: average symmetric surface distance: the mean over the points of both outlines.
    """

    hausdorff95: np.ndarray
    average: np.ndarray


def distances(prediction: np.ndarray, target: np.ndarray) -> Distances:
    """Measures how far the outlines of predicted and annotated lesions are apart, as MedPy does.

    The outline of a mask is its pixels of which one of the four neighbours, or the border of the
    image, is outside.

    Args:
        prediction, target: (N, H, W) bool.

    Raises:
        ValueError: the shapes differ or are not (N, H, W).
    """
    prediction, target = np.asarray(prediction, bool), np.asarray(target, bool)
    if prediction.ndim != 3 or prediction.shape != target.shape:
        raise ValueError(f"two (N, H, W) masks expected, got {prediction.shape}, {target.shape}")
    pairs = [_pair(one, other) for one, other in zip(prediction, target, strict=True)]
    return Distances(*np.array(pairs, np.float64).reshape(-1, 2).T)


def _pair(prediction: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    if not (prediction.any() and target.any()):
        return np.nan, np.nan
    ours, theirs = _outline(prediction), _outline(target)
    there = scipy.ndimage.distance_transform_edt(~theirs)[ours]
    back = scipy.ndimage.distance_transform_edt(~ours)[theirs]
    both = np.concatenate([there, back])
    return float(np.percentile(both, 95)), float(both.mean())


def _outline(mask: np.ndarray) -> np.ndarray:
    # SciPy's own neighbours: the four that share an edge.
    return mask & ~scipy.ndimage.binary_erosion(mask)
