"""An image of any proportions -> the square that a network sees, and a mask back again."""

from __future__ import annotations

import dataclasses

import numpy as np

from busjax.data.pixels import resize

STRETCH, PAD = "stretch", "pad"


@dataclasses.dataclass(frozen=True)
class Area:
    """A rectangle of an image, in pixels; right and bottom are excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        return max(0, self.right - self.left) * max(0, self.bottom - self.top)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.bottom - self.top, self.right - self.left

    def of(self, image: np.ndarray) -> np.ndarray:
        """Its pixels."""
        return image[self.top : self.bottom, self.left : self.right]


def place(shape: tuple[int, ...], size: int, fit: str) -> Area:
    """Where an image lies within the square.

    Args:
        shape: its height and width.
        size: pixels a side of the square.
        fit: `config.data.fit`: 'stretch': it fills the square; 'pad': it keeps its proportions, its
            longer side fills the square, and it lies in the middle.
    """
    if fit == STRETCH:
        return Area(0, 0, size, size)
    h, w = (max(1, round(side * size / max(shape))) for side in shape)
    top, left = (size - h) // 2, (size - w) // 2
    return Area(left, top, left + w, top + h)


def fit_image(image: np.ndarray, area: Area, size: int) -> np.ndarray:
    """Resizes an image (H, W) into its place; black around it."""
    return in_square(resize(image, *area.shape), area, size)


def fit_mask(mask: np.ndarray, area: Area, size: int) -> np.ndarray:
    """As `fit_image`, for a mask of 0 and 1: uint8; a lesion never vanishes.

    It is 1 where at least half of a pixel is lesion, or, if none is, where most of it is.
    """
    share = resize(mask.astype(np.float32), *area.shape)
    inside = (share > 0) & (share >= min(0.5, share.max()))
    return in_square(inside.astype(np.uint8), area, size)


def back(square: np.ndarray, area: Area, height: int, width: int) -> np.ndarray:
    """Resizes what lies in the place of an image, (S, S), to the image's own size."""
    return resize(np.ascontiguousarray(area.of(square)), height, width)


def inside(area: Area, size: int) -> np.ndarray:
    """1 where the image is and 0 around it: (S, S) uint8."""
    return in_square(np.ones(area.shape, np.uint8), area, size)


def in_square(pixels: np.ndarray, area: Area, size: int) -> np.ndarray:
    """Puts pixels of the size of a place there; zeros around it."""
    if area.shape == (size, size):
        return pixels
    square = np.zeros((size, size), pixels.dtype)
    area.of(square)[:] = pixels
    return square
