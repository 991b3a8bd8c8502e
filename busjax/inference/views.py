"""The picture inside the frame: a scanner's frame is half border, text and rulers, or holds two
views; the network was trained on the picture alone."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from busjax.classes import CLASSES, MALIGNANT, NORMAL
from busjax.data.fitting import Area

_BLACK = 10  # grey levels, up to which a blurred pixel is border
_SMALLEST = 0.1  # share of the frame, below which a part is no picture
_SECOND = 0.25  # share of the largest view, below which a part is no second view
_LINE = 0.02  # share of a row or column of a part that is bright, above which the part has begun
_WHOLE = 0.9  # share of the frame, above which it is the picture


View = Area
"""A part of a frame that is read by itself."""


def find(pixels: np.ndarray, regions: Sequence[View], crop: str) -> tuple[View, ...]:
    """The views of a frame, at least one, from the left to the right.

    Args:
        pixels: (H, W) uint8.
        regions: of tissue, as a DICOM file tells them.
        crop: `config.inference.crop`: 'none': the frame; 'regions': those of tissue; 'scan': those,
            else what is scanned, found in the pixels.
    """
    height, width = pixels.shape
    whole = View(0, 0, width, height)
    if crop == "none":
        return (whole,)
    clipped = [
        View(max(0, r.left), max(0, r.top), min(width, r.right), min(height, r.bottom))
        for r in regions
    ]
    parts = [part for part in clipped if part.area >= _SMALLEST * whole.area]
    if not parts and crop == "scan":
        parts = scanned(pixels)
    kept = [part for part in set(parts) if not any(_inside(part, other) for other in parts)]
    return tuple(sorted(kept, key=lambda part: (part.left, part.top))) or (whole,)


def scanned(pixels: np.ndarray) -> list[View]:
    """The large parts of a frame that are not black; what is thin, as text and rulers, is none."""
    height, width = pixels.shape
    side = max(height, width)
    margin = side // 20 + 1  # else what touches the border would count as going on beyond it
    blurred = cv2.GaussianBlur(pixels, (0, 0), max(1.0, side / 250))
    bright = np.pad((blurred > _BLACK).astype(np.uint8), margin)
    closed = cv2.morphologyEx(bright, cv2.MORPH_CLOSE, _square(side / 60))
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, _square(side / 20))
    opened = opened[margin:-margin, margin:-margin]
    _, _, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    boxes = [View(x, y, x + w, y + h) for x, y, w, h, _ in stats[1:].tolist()]
    boxes = [box for box in _united(boxes) if box.area >= _SMALLEST * height * width]
    largest = max((box.area for box in boxes), default=0)
    boxes = [_tight(pixels, box) for box in boxes if box.area >= _SECOND * largest]
    return [] if sum(box.area for box in boxes) >= _WHOLE * height * width else boxes


def _tight(pixels: np.ndarray, box: View) -> View:
    """A part without the rim that blurring and closing add, which a network takes for a shadow."""
    bright = box.of(pixels) > _BLACK
    rows, columns = (
        np.flatnonzero(bright.sum(axis) >= max(2, _LINE * bright.shape[axis])) for axis in (1, 0)
    )
    if not rows.size or not columns.size:
        return box
    left, top = box.left + int(columns[0]), box.top + int(rows[0])
    return View(left, top, box.left + int(columns[-1]) + 1, box.top + int(rows[-1]) + 1)


def _square(side: float) -> np.ndarray:
    return np.ones((max(3, round(side)),) * 2, np.uint8)


def _united(boxes: list[View]) -> list[View]:
    """Parts of one view, which a shadow may cut, as one: those that stand above each other."""
    for index, one in enumerate(boxes):
        for other in boxes[index + 1 :]:
            shared = min(one.right, other.right) - max(one.left, other.left)
            if shared > 0.5 * min(one.right - one.left, other.right - other.left):
                both = View(
                    min(one.left, other.left), min(one.top, other.top),
                    max(one.right, other.right), max(one.bottom, other.bottom),
                )  # fmt: skip
                return _united([both, *(box for box in boxes if box not in (one, other))])
    return boxes


def _inside(part: View, other: View) -> bool:
    """Whether a part lies within another, larger one."""
    return part.area < other.area and (
        other.left <= part.left
        and other.top <= part.top
        and part.right <= other.right
        and part.bottom <= other.bottom
    )


def most_suspicious(probabilities: Sequence[np.ndarray]) -> int:
    """The view that speaks for the frame: one with a lesion before one without, then malignant.

    Args:
        probabilities: (3,) of each view, in the order of `CLASSES`.
    """
    assert len(CLASSES) == 3

    def rank(index: int) -> tuple[bool, float]:
        classes = probabilities[index]
        has_lesion = int(classes.argmax()) != NORMAL
        return has_lesion, float(classes[MALIGNANT] if has_lesion else 1 - classes[NORMAL])

    return max(range(len(probabilities)), key=rank)
