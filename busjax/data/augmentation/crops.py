"""Parts of training images in their place: without the lesion, as normal images, and with it.

A set that holds few normal images, or none, teaches a network their style instead of the absence
of a lesion. Parts of every set, of both kinds and of the same sizes, break that shortcut.
"""

from __future__ import annotations

import numpy as np

from busjax.config import Augment
from busjax.data.fitting import Area

_SMALLEST = 0.3  # of the image's height and width, below which a part shows no breast
_LARGEST = 0.9
_MARGIN = 0.02  # of the longer side, kept between the lesion and the border of a part
_ASPECT = 0.15  # |log|, at most, by which the proportions of a part differ from the image's
_SKIN = 0.7  # probability that a part begins at the skin, where it can

Kind = str
WHOLE, NORMAL_PART, LESION_PART = "whole", "normal", "lesion"


def draw(mask: np.ndarray, rng: np.random.Generator, config: Augment) -> tuple[Area, Kind]:
    """Draws what is shown of an image in this epoch.

    Args:
        mask: (H, W) uint8, 0 or 1.
        rng: source of all randomness.
        config: `config.augment`.

    Returns:
        The part, and 'whole' (all of it), 'normal' (a part without lesion) or 'lesion' (a part with
        all of it; of an image without lesion a part is 'normal').
    """
    height, width = mask.shape
    whole = Area(0, 0, width, height)
    chance = rng.random()
    if chance >= config.crop_normal + config.crop_lesion:
        return whole, WHOLE
    if not mask.any():
        return _anywhere(whole, rng), NORMAL_PART
    lesion = lesion_box(mask)
    part = _beside(whole, lesion, rng)
    if part is None:
        return whole, WHOLE
    if chance < config.crop_normal:
        return part, NORMAL_PART
    return _around(whole, lesion, part, rng), LESION_PART


def lesion_box(mask: np.ndarray) -> Area:
    """The box of all lesions with a margin."""
    height, width = mask.shape
    margin = round(_MARGIN * max(height, width))
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return Area(
        max(0, int(columns[0]) - margin),
        max(0, int(rows[0]) - margin),
        min(width, int(columns[-1]) + 1 + margin),
        min(height, int(rows[-1]) + 1 + margin),
    )


def _anywhere(whole: Area, rng: np.random.Generator) -> Area:
    size = _size(whole, rng.uniform(_SMALLEST, _LARGEST), rng)
    return _placed(whole, size, rng)


def _beside(whole: Area, lesion: Area, rng: np.random.Generator) -> Area | None:
    """A part on one side of the lesion, nearly as large as fits there; None: no side has room."""
    sides = (
        Area(0, 0, lesion.left, whole.bottom),
        Area(lesion.right, 0, whole.right, whole.bottom),
        Area(0, 0, whole.right, lesion.top),
        Area(0, lesion.bottom, whole.right, whole.bottom),
    )
    height, width = whole.shape
    room = np.array([min(side.shape[0] / height, side.shape[1] / width) for side in sides])
    if room.max() < _SMALLEST:
        return None
    weights = np.where(room >= _SMALLEST, room, 0)
    index = int(rng.choice(len(sides), p=weights / weights.sum()))
    scale = rng.uniform(max(_SMALLEST, 0.75 * room[index]), room[index])
    return _placed(sides[index], _size(whole, min(scale, _LARGEST), rng), rng)


def _around(whole: Area, lesion: Area, part: Area, rng: np.random.Generator) -> Area:
    """A part of the same size, or as large as the lesion asks for, that holds all of the lesion."""
    height, width = (max(own, of) for own, of in zip(part.shape, lesion.shape, strict=True))
    within = Area(
        max(0, lesion.right - width),
        max(0, lesion.bottom - height),
        min(whole.right, lesion.left + width),
        min(whole.bottom, lesion.top + height),
    )
    return _placed(within, (height, width), rng)


def _size(whole: Area, scale: float, rng: np.random.Generator) -> tuple[int, int]:
    """Height and width near the proportions of the image."""
    aspect = np.exp(rng.uniform(-_ASPECT, _ASPECT))
    height, width = whole.shape
    return max(1, round(height * scale / aspect)), max(1, round(width * scale * aspect))


def _placed(within: Area, size: tuple[int, int], rng: np.random.Generator) -> Area:
    """A part of this size, or as much of it as fits, within an area; rather at its top."""
    height, width = (min(own, room) for own, room in zip(size, within.shape, strict=True))
    left = within.left + int(rng.integers(within.right - within.left - width + 1))
    top = within.top + int(rng.integers(within.bottom - within.top - height + 1))
    if rng.random() < _SKIN:
        top = within.top
    return Area(left, top, left + width, top + height)
