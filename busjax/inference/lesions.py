"""The lesions of a mask: where they are and how large, in pixels and millimetres."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np


@dataclasses.dataclass(frozen=True)
class Box:
    """A lesion's bounding box, right and bottom excluded, and its area, in pixels."""

    left: int
    top: int
    right: int
    bottom: int
    area: int


@dataclasses.dataclass(frozen=True)
class Size:
    """How large a lesion is, in pixels or in millimetres.

    Attributes:
        area: of its pixels.
        longest: largest distance of two points of it, edges of pixels included.
        shortest: smallest distance of two parallel lines that hold it.
    """

    area: float
    longest: float
    shortest: float


def find(mask: np.ndarray) -> list[tuple[Box, np.ndarray]]:
    """Returns the connected parts (edges and corners) of a mask (H, W) bool, largest first.

    Each comes as its box and the pixels of the box that belong to it, bool.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    lesions = []
    for number, (left, top, width, height, area) in enumerate(stats.tolist()):
        if number:  # the first is the background
            box = Box(left, top, left + width, top + height, area)
            part = labels[box.top : box.bottom, box.left : box.right] == number
            lesions.append((box, part))
    return sorted(lesions, key=lambda lesion: -lesion[0].area)


def measure(part: np.ndarray, spacing: tuple[float, float] = (1.0, 1.0)) -> Size:
    """Measures a lesion.

    Args:
        part: (H, W) bool with at least one pixel.
        spacing: height and width of a pixel: 1 and 1, or in millimetres.
    """
    rows = np.flatnonzero(part.any(1))
    first = part[rows].argmax(1)  # of each row the ends suffice for the hull
    end = part.shape[1] - part[rows, ::-1].argmax(1)
    corners = np.concatenate(
        [np.stack([columns, rows + y], -1) for columns in (first, end) for y in (0, 1)]
    ).astype(np.float32)
    scale = np.array([spacing[1], spacing[0]])
    hull = cv2.convexHull(corners)[:, 0].astype(np.float64) * scale
    between = hull[:, None] - hull[None]
    longest = np.sqrt((between**2).sum(-1)).max()
    # The narrowest strip lies along an edge of the hull.
    edges = np.roll(hull, -1, 0) - hull
    normals = np.stack([-edges[:, 1], edges[:, 0]], -1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    widths = np.ptp(hull @ normals.T, axis=0)
    return Size(float(part.sum() * scale.prod()), float(longest), float(widths.min()))
