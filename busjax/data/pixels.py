"""Grey levels of any type -> uint8, and their resizing; the same for all who read images."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from PIL import Image

from busjax.config.rules import Ends
from busjax.errors import UserError

Range = tuple[float, float]
"""The grey levels that are black and white."""

OF_16_BITS: Range = (0, 65535)
_UNLIKELY = 2**14  # below it a file of 16 bits may hold 10, 12 or 14, and would be nearly black


def parse_range(text: str) -> Range | None:
    """'0,4095' -> (0, 4095); '' -> None. For a field `grey_range`, which its rule has checked."""
    return Ends().parse(text) if text else None


def grey(image: Any, grey_range: Range | None = None) -> np.ndarray:
    """Returns the grey levels of an array, (H, W) uint8; see `eight_bits` and `luma`."""
    levels = eight_bits(image, grey_range)
    return levels if levels.ndim == 2 else luma(Image.fromarray(levels))


def eight_bits(image: Any, grey_range: Range | None = None) -> np.ndarray:
    """Returns an array as (H, W) or (H, W, 3 or 4) uint8.

    Args:
        image: (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA; uint8, uint16 or float in [0, 1];
            numbers of another type or range with `grey_range`.
        grey_range: see `to_uint8`.

    Raises:
        UserError: another shape or type, no pixel, or levels whose range is not known.
    """
    image = np.asarray(image)
    if image.ndim == 3 and image.shape[-1] == 1:
        image = image[..., 0]
    if not (image.ndim == 2 or (image.ndim == 3 and image.shape[-1] in (3, 4))) or not image.size:
        raise UserError(
            f"an image of shape {image.shape}: expected (H, W), (H, W, 3) or (H, W, 4) with at "
            "least one pixel"
        )
    if image.dtype.kind not in "uif":
        raise UserError(f"an image of {image.dtype}: expected uint8, uint16 or float in [0, 1]")
    declared: Range | None = {"float": (0, 1), "uint16": OF_16_BITS}.get(
        "float" if image.dtype.kind == "f" else image.dtype.name
    )
    try:
        return to_uint8(image, declared, grey_range)
    except ValueError as error:
        raise UserError(f"an image of {image.dtype}: {error}") from error


def to_uint8(
    values: np.ndarray, declared: Range | None, grey_range: Range | None = None
) -> np.ndarray:
    """Returns uint8 as it is, and other levels scaled to [0, 255]; no range is ever guessed.

    Args:
        values: of any shape and type of number.
        declared: the range that goes with their type, if one does.
        grey_range: the range that a person gives; it goes before the declared one.

    Raises:
        ValueError: the range is not known, or the levels lie outside of it.
    """
    if values.dtype == np.uint8:
        return values
    if not np.isfinite(values).all():
        raise ValueError("some of its floats are no numbers, so not all in [0, 1]")
    least, most = float(values.min()), float(values.max())
    ends = grey_range or declared
    is_dark = ends == OF_16_BITS and not grey_range and 0 < most < _UNLIKELY
    if ends is None or is_dark or (not grey_range and not ends[0] <= least <= most <= ends[1]):
        of_floats = "its floats are not all in [0, 1], so " if declared == (0, 1) else ""
        raise ValueError(
            f"{of_floats}which of its grey levels are black and white is not known (it holds "
            f"{least:g} to {most:g}): give them by grey_range, such as 0,4095"
        )
    low, high = ends
    if not low <= least <= most <= high:
        raise ValueError(
            f"its grey levels, {least:g} to {most:g}, are not within grey_range={low:g},{high:g}"
        )
    return np.round((values.astype(np.float64) - low) * (255 / (high - low))).astype(np.uint8)


def luma(image: Image.Image) -> np.ndarray:
    """Returns the grey levels of a picture of 8 bits: ITU-R 601 luma, transparent pixels black."""
    return np.asarray(on_black(image).convert("L"))


def on_black(image: Image.Image) -> Image.Image:
    """A picture whose transparent pixels are black; as it is where it has none."""
    if not image.has_transparency_data:
        return image
    colours = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", colours.size, "black"), colours)


def resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes (H, W) axis by axis: area average to shrink, linear to grow."""
    h, w = pixels.shape
    for shape, old, new in (((w, height), h, height), ((width, height), w, width)):
        how = cv2.INTER_AREA if old > new else cv2.INTER_LINEAR
        pixels = cv2.resize(pixels, shape, interpolation=how)
    return pixels
