"""Colours of a picture that is read as grey: Doppler, a photograph; or a mere tint."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from PIL import Image

from busjax.data.pixels import on_black

_SATURATED = 48  # of 255, the largest less the smallest of red, green and blue: above it a colour
_BRIGHT = 40  # of 255, from which on a pixel of a tinted picture shows its tint
_THIN = 64  # of the longer side: what is thinner is text, calipers, a scale
_TINT = (0.5, 0.95)  # share of the bright pixels that is coloured, and unity of their hue


def share(picture: np.ndarray | Image.Image) -> float:
    """Returns the share of a picture that coloured areas cover, in [0, 1].

    Text and calipers are too thin to count; a picture in shades of one colour, as scanners can
    show B-mode, has none.

    Args:
        picture: (H, W) or (H, W, 3 or 4) uint8, or a Pillow picture; what is grey has no colour.
    """
    colours = _colours(picture)
    if colours is None:
        return 0.0
    channels = cv2.split(colours)  # whole channels: twenty times as fast as along the last axis
    brightest = functools.reduce(cv2.max, channels)
    saturated = brightest - functools.reduce(cv2.min, channels) > _SATURATED
    if not saturated.any() or _is_tint(colours, saturated, brightest):
        return 0.0
    side = max(3, max(saturated.shape) // _THIN)
    opened = cv2.morphologyEx(
        saturated.astype(np.uint8), cv2.MORPH_OPEN, np.ones((side, side), np.uint8)
    )
    return float(opened.mean())


def _colours(picture: np.ndarray | Image.Image) -> np.ndarray | None:
    """(H, W, 3) uint8, transparent pixels black; None: it is grey."""
    if isinstance(picture, np.ndarray):
        if picture.ndim == 2:
            return None
        picture = Image.fromarray(picture)
    if picture.mode[0] in "1LIF":
        return None
    return np.asarray(on_black(picture).convert("RGB"))


def _is_tint(colours: np.ndarray, saturated: np.ndarray, brightest: np.ndarray) -> bool:
    """Whether most of what is bright has a colour, and all of it the same."""
    of_bright, unity = _TINT
    bright = brightest >= _BRIGHT
    if saturated[bright].mean() < of_bright:
        return False
    hue, weight, _ = cv2.split(cv2.cvtColor(colours, cv2.COLOR_RGB2HSV)[saturated][None])
    turns = weight.astype(np.float64) * np.exp(1j * np.radians(2.0 * hue))  # OpenCV halves degrees
    return bool(abs(turns.sum()) >= unity * np.abs(turns).sum())
