"""What scanners and people draw over an image: text, calipers, a ruler, a black border.

It stands beside lesions more often than not, so that a network may read it in the lesion's place.
Drawn anywhere, it says nothing.
"""

from __future__ import annotations

import cv2
import numpy as np

_WORDS = ("LEFT", "RIGHT", "BREAST", "RT 2:00", "LT 10:00", "MAMA D", "QSE", "RAD", "1.24cm")
_BORDER = 0.15  # of a side, at most


def draw(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws one to three of them over an image.

    Args:
        image: (H, W) float32 in [0, 1].
        mask: (H, W) uint8, 0 or 1; a border covers none of it.
        rng: source of all randomness.

    Returns:
        (H, W) float32 in [0, 1].
    """
    image = np.ascontiguousarray(image).copy()
    kinds = (_text, _calipers, _ruler, _border)
    for index in rng.choice(len(kinds), size=int(rng.integers(1, 4)), replace=False):
        kinds[int(index)](image, mask, rng)
    return image


def _text(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> None:
    height, width = image.shape
    words = " ".join(rng.choice(_WORDS, size=int(rng.integers(1, 4))))
    at = int(rng.integers(-width // 8, width)), int(rng.integers(height // 20, height + 1))
    scale = max(height, width) / 256 * float(rng.uniform(0.7, 1.3))
    thickness = max(1, round(max(height, width) / 256))
    stencil = np.zeros(image.shape, np.uint8)  # OpenCV writes into no floats
    cv2.putText(stencil, words, at, cv2.FONT_HERSHEY_PLAIN, scale, 255, thickness, cv2.LINE_AA)
    share = stencil.astype(np.float32) / 255
    image[:] = (1 - share) * image + share * np.float32(_grey(rng))


def _calipers(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> None:
    """Two marks, and often dots between them."""
    height, width = image.shape
    grey, size = _grey(rng), max(3, round(max(height, width) * float(rng.uniform(0.02, 0.05))))
    ends = rng.uniform(0.05, 0.95, (2, 2)) * (width, height)
    kind = cv2.MARKER_CROSS if rng.random() < 0.5 else cv2.MARKER_TILTED_CROSS
    for x, y in np.round(ends).astype(int).tolist():
        cv2.drawMarker(image, (x, y), grey, kind, size)
    if rng.random() < 0.5:
        dots = max(2, int(np.linalg.norm(ends[1] - ends[0]) / size))
        for share in np.linspace(0, 1, dots):
            x, y = np.round(ends[0] + share * (ends[1] - ends[0])).astype(int).tolist()
            image[min(y, height - 1), min(x, width - 1)] = grey


def _ruler(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> None:
    """Ticks along a side, every fifth one longer."""
    height, width = image.shape
    grey, step = _grey(rng), max(3, round(height * float(rng.uniform(0.02, 0.06))))
    on_left = rng.random() < 0.5
    for number, y in enumerate(range(int(rng.integers(step)), height, step)):
        length = max(1, round(width * (0.03 if number % 5 == 0 else 0.015)))
        image[y, slice(0, length) if on_left else slice(width - length, width)] = grey


def _border(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> None:
    """Black bands on one side to all four, which leave the lesion free."""
    height, width = image.shape
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    free = np.array([height, height, width, width])
    if rows.size:
        free = np.array([rows[0], height - 1 - rows[-1], columns[0], width - 1 - columns[-1]])
    widths = rng.uniform(0, _BORDER, 4) * (height, height, width, width)
    widths = np.minimum(np.round(widths * (rng.random(4) < 0.5)), free).astype(int).tolist()
    top, bottom, left, right = widths
    image[:top] = image[height - bottom :] = 0
    image[:, :left] = image[:, width - right :] = 0


def _grey(rng: np.random.Generator) -> float:
    return float(rng.uniform(0.6, 1.0))
