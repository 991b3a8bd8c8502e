"""Connected parts of masks; pixels that touch at an edge or a corner belong together."""

from __future__ import annotations

import cv2
import numpy as np


def largest(mask: np.ndarray, count: int) -> np.ndarray:
    """Keeps the `count` largest parts of a mask; 0: all of them.

    Args:
        mask: (H, W) bool.
        count: of parts; of two of one size the upper left one comes first.

    Returns:
        (H, W) bool.
    """
    if not count or not mask.any():
        return mask
    number, labels, stats, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=8
    )
    if number - 1 <= count:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    kept = 1 + np.argsort(-areas, kind="stable")[:count]
    return np.isin(labels, kept)
