"""Images as they come -> grey levels of one kind, and their resizing; the same for all who read."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image

from busjax.errors import UserError

# All that Pillow raises for a broken file.
UNDECODABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombWarning,
    Image.DecompressionBombError,
)


def decode(content: bytes) -> np.ndarray:
    """Returns the grey levels of an image file of any mode: (H, W) uint8, or uint16 of 16 bits.

    Colours become grey by ITU-R 601 luma, transparent pixels black. Raises what Pillow raises.
    """
    with Image.open(io.BytesIO(content)) as image:
        return from_pillow(image)


def from_pillow(image: Image.Image) -> np.ndarray:
    """Returns the grey levels of a picture of any mode, as `decode`."""
    if image.mode == "F":
        return _of_floats(np.asarray(image))
    if image.mode.startswith("I"):  # 16 bits: Pillow's conversion to 8 would cut, not scale
        return np.asarray(image).astype(np.uint16)
    return _luma(image)


def grey(image: np.ndarray) -> np.ndarray:
    """Returns the grey levels of an array as `decode` does those of a file, (H, W) uint8.

    Args:
        image: (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA; uint8, uint16 or float in [0, 1].

    Raises:
        UserError: another shape or dtype, no pixel, or floats that are not in [0, 1].
    """
    image = np.asarray(image)
    if image.ndim == 3 and image.shape[-1] == 1:
        image = image[..., 0]
    if not (image.ndim == 2 or (image.ndim == 3 and image.shape[-1] in (3, 4))) or not image.size:
        raise UserError(
            f"an image of shape {image.shape}: expected (H, W), (H, W, 3) or (H, W, 4) with at "
            "least one pixel"
        )
    pixels = _as_uint8(image)
    return pixels if pixels.ndim == 2 else _luma(Image.fromarray(pixels))


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Returns uint8 as it is, and uint16 scaled to [0, 255]."""
    if image.dtype == np.uint8:
        return image
    return np.round(image / 257).astype(np.uint8)  # 65535 / 257 = 255


def resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes (H, W) axis by axis: area average to shrink, linear to grow."""
    h, w = pixels.shape
    for shape, old, new in (((w, height), h, height), ((width, height), w, width)):
        how = cv2.INTER_AREA if old > new else cv2.INTER_LINEAR
        pixels = cv2.resize(pixels, shape, interpolation=how)
    return pixels


def _as_uint8(image: np.ndarray) -> np.ndarray:
    if image.dtype in (np.uint8, np.uint16):
        return to_uint8(image)
    if not np.issubdtype(image.dtype, np.floating):
        raise UserError(f"an image of {image.dtype}: expected uint8, uint16 or float in [0, 1]")
    if not (np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1):
        raise UserError(
            "an image of floats that are not all in [0, 1]: divide them by their largest value, or "
            "give uint8 or uint16"
        )
    return np.round(image * 255).astype(np.uint8)


def _of_floats(pixels: np.ndarray) -> np.ndarray:
    """Floats in [0, 1] as uint8; ValueError, which is one of `UNDECODABLE`, where they are not."""
    if not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1):
        raise ValueError("its floats are not all in [0, 1]: save it with 8 or 16 bits")
    return np.round(pixels * 255).astype(np.uint8)


def _luma(image: Image.Image) -> np.ndarray:
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        black = Image.new("RGBA", colours.size, "black")
        image = Image.alpha_composite(black, colours)
    return np.asarray(image.convert("L"))
