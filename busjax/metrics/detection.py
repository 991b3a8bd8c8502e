"""Lesions found and missed: each connected part of a mask is one."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import scipy

OVERLAP = 0.5
"""Intersection over union from which on a predicted lesion is an annotated one."""


class Lesions(NamedTuple):
    """Of each image, (N,) int64.

    Attributes:
        annotated: lesions of the annotation.
        found: of these, those that a predicted lesion overlaps well enough.
        false: predicted lesions that are none of these.
    """

    annotated: np.ndarray
    found: np.ndarray
    false: np.ndarray


def lesions(prediction: np.ndarray, target: np.ndarray, overlap: float = OVERLAP) -> Lesions:
    """Pairs predicted with annotated lesions, one to one, so that as many as can be are found.

    Args:
        prediction, target: (N, H, W) bool; parts that touch, corners included, are one lesion.
        overlap: least intersection over union of a pair, in (0, 1].

    Raises:
        ValueError: the shapes differ or are not (N, H, W).
    """
    prediction, target = np.asarray(prediction, bool), np.asarray(target, bool)
    if prediction.ndim != 3 or prediction.shape != target.shape:
        raise ValueError(f"two (N, H, W) masks expected, got {prediction.shape}, {target.shape}")
    rows = [_count(one, other, overlap) for one, other in zip(prediction, target, strict=True)]
    return Lesions(*np.array(rows, np.int64).reshape(-1, 3).T)


def _count(prediction: np.ndarray, target: np.ndarray, overlap: float) -> tuple[int, int, int]:
    drawn, ours = cv2.connectedComponents(prediction.astype(np.uint8), connectivity=8)
    there, theirs = cv2.connectedComponents(target.astype(np.uint8), connectivity=8)
    # Pixels by annotated (row) and predicted (column) lesion, the background first.
    shared = np.zeros((there, drawn), np.int64)
    np.add.at(shared, (np.ravel(theirs), np.ravel(ours)), 1)  # type: ignore[arg-type]
    size_of_theirs, size_of_ours = shared.sum(axis=1)[1:, None], shared.sum(axis=0)[None, 1:]
    common = shared[1:, 1:]
    enough = common >= overlap * (size_of_theirs + size_of_ours - common)
    pairs = scipy.optimize.linear_sum_assignment(enough, maximize=True)
    hits = int(enough[pairs].sum())
    return there - 1, hits, drawn - 1 - hits
