"""What an image is known by again: points that stand out, and how their surroundings look."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

SIDE = 256
"""Pixels of the longer side at which images are compared."""

_POINTS = 500
_CONTRAST = 0.01  # low: speckle is all that a tissue without a lesion shows


@dataclasses.dataclass(frozen=True)
class Features:
    """SIFT features (Lowe 2004), the strongest first.

    Attributes:
        points: (n, 2) float32, x and y in pixels.
        descriptors: (n, 128) float32 of length 1: square roots of SIFT's, so that their products
            compare histograms (RootSIFT, Arandjelovic and Zisserman 2012).
    """

    points: np.ndarray
    descriptors: np.ndarray


def shrunk(image: np.ndarray) -> np.ndarray:
    """Resizes (H, W) uint8 so that the longer side has `SIDE` pixels."""
    height, width = image.shape
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def describe(image: np.ndarray) -> Features:
    """Finds the features of (H, W) uint8; an image without any contrast has none."""
    finder = cv2.SIFT.create(nfeatures=_POINTS, contrastThreshold=_CONTRAST)
    points, descriptors = finder.detectAndCompute(image, None)  # type: ignore[call-overload]
    if descriptors is None:
        return Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))
    order = np.argsort([-point.response for point in points], kind="stable")
    total = np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-9)
    return Features(
        np.array([points[index].pt for index in order], np.float32),
        np.sqrt(descriptors / total)[order].astype(np.float32),
    )
