"""Whether one image is another, moved: features agree on one affine map, and then the pixels do.

Affine, for copies in circulation were resized without their aspect ratio.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from busjax.data.audit.features import Features

_RATIO = 0.8  # of the distances to the nearest and second nearest feature (Lowe 2004, sec. 7.1)
_NEAR = 4.0  # pixels from where the map puts a feature
_ROUNDS = 1000
_LEAST_OVERLAP = 0.2  # of the other image that the first one covers
_LEAST_AREA, _LARGEST_AREA = 0.2, 5.0  # of the map of a unit square


@dataclasses.dataclass(frozen=True)
class Rule:
    """From when on two images are one; tuned on half of BUSI, see docs/audit.md.

    Attributes:
        inliers: features that agree on the map (RANSAC, Fischler and Bolles 1981).
        correlation: of the grey levels where the mapped images overlap.
    """

    inliers: int = 12
    correlation: float = 0.75


@dataclasses.dataclass(frozen=True)
class Match:
    """How well one image is laid on another.

    Attributes:
        inliers: features that agree on the map.
        correlation: Pearson's, of the slightly smoothed grey levels in the overlap, in [-1, 1].
        overlap: share of the other image that is covered.
        map: (2, 3) float64, from pixels of the one to those of the other.
    """

    inliers: int
    correlation: float
    overlap: float
    map: np.ndarray

    def satisfies(self, rule: Rule) -> bool:
        return self.inliers >= rule.inliers and self.correlation >= rule.correlation


def align(
    image: np.ndarray, features: Features, other: np.ndarray, others: Features, least: int = 5
) -> Match | None:
    """Lays an image on another one.

    Args:
        image, other: (H, W) uint8 of any two sizes.
        features, others: of each.
        least: features that must agree.

    Returns:
        The map that most features agree on, or None where too few agree on any that is sound.
    """
    pairs = _pairs(features, others)
    if len(pairs) < least:
        return None
    cv2.setRNGSeed(0)  # of this thread: the same images give the same map
    affine, inside = cv2.estimateAffine2D(
        features.points[pairs[:, 0]],
        others.points[pairs[:, 1]],
        ransacReprojThreshold=_NEAR,
        maxIters=_ROUNDS,
    )
    inliers = 0 if inside is None else int(inside.sum())
    if inliers < least or not _LEAST_AREA <= abs(np.linalg.det(affine[:, :2])) <= _LARGEST_AREA:
        return None
    correlation, overlap = _compare(image, other, affine)
    return Match(inliers, correlation, overlap, affine)


def warped(image: np.ndarray, match: Match, shape: tuple[int, int]) -> np.ndarray:
    """The image, (H, W) uint8, where the match puts it within the shape of the other one."""
    return cv2.warpAffine(image, match.map, (shape[1], shape[0]), flags=cv2.INTER_LINEAR)


def _pairs(features: Features, others: Features) -> np.ndarray:
    """Features that resemble each other clearly more than any other: (m, 2) indices."""
    if len(features.points) < 1 or len(others.points) < 2:
        return np.zeros((0, 2), int)
    # Of vectors of length 1 the squared distance is 2 - 2 times the product.
    product = features.descriptors @ others.descriptors.T
    nearest = product.argmax(axis=1)
    rows = np.arange(len(product))
    first = product[rows, nearest]
    product[rows, nearest] = -1
    second = product.max(axis=1)
    clear = np.maximum(1 - first, 0) < _RATIO**2 * np.maximum(1 - second, 0)
    return np.stack([rows[clear], nearest[clear]], axis=1)


def _compare(image: np.ndarray, other: np.ndarray, affine: np.ndarray) -> tuple[float, float]:
    """Correlation and overlap after the map."""
    size = other.shape[1], other.shape[0]
    moved = cv2.warpAffine(cv2.GaussianBlur(image, (0, 0), 1.0), affine, size)
    covered = cv2.warpAffine(np.full(image.shape, 255, np.uint8), affine, size) == 255
    overlap = float(covered.mean())
    if overlap < _LEAST_OVERLAP:
        return 0.0, overlap
    ours = moved[covered].astype(np.float64)
    theirs = cv2.GaussianBlur(other, (0, 0), 1.0)[covered].astype(np.float64)
    if not ours.std() * theirs.std():
        return 0.0, overlap
    return float(np.corrcoef(ours, theirs)[0, 1]), overlap
