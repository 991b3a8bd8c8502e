"""Images whose lesion is filled with the tissue beside it, as normal images of the whole breast.

Parts without a lesion (`crops`) lack the layers of a whole image, skin to muscle, by which a
network may tell them. Here whole columns are filled: the layers stay, and a lesion's shadow goes
with it. Columns without a lesion are filled likewise, so that a filling tells nothing.
"""

from __future__ import annotations

import numpy as np

from busjax.data.augmentation.crops import lesion_box

_SMALLEST = 0.12  # of the image's width: what is filled where no lesion is
_LARGEST = 0.5
_TIMES = 2  # that the columns of a side may appear, mirrored and back again
_BLEND = 0.25  # of the columns that are filled, in which the fillings from both sides mix


def lesion(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """Fills the columns of all lesions.

    Args:
        image: (H, W), uint8 or float.
        mask: (H, W) uint8, 0 or 1, not empty.
        rng: source of all randomness.

    Returns:
        The image without them; None: the lesions leave too little beside them.
    """
    box = lesion_box(mask)
    return _filled(image, box.left, box.right, rng)


def beside(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """Fills as many columns on one side of the lesions, from that side alone.

    Returns:
        The image; None: there is too little beside them.
    """
    width = image.shape[1]
    sides = [(0, width)]
    if mask.any():
        box = lesion_box(mask)
        sides = [(0, box.left), (box.right, width)]
    low, high = sides[int(rng.integers(len(sides)))]
    count = round(width * rng.uniform(_SMALLEST, _LARGEST))
    count = min(count, (high - low) // 2)
    if count < _SMALLEST * width:
        return None
    start = int(rng.integers(low, high - count + 1))
    filled = _filled(image[:, low:high], start - low, start - low + count, rng)
    if filled is None:
        return None
    changed = image.copy()
    changed[:, low:high] = filled
    return changed


def _filled(
    image: np.ndarray, left: int, right: int, rng: np.random.Generator
) -> np.ndarray | None:
    """Columns from `left` to before `right`, filled with the mirrored columns of both sides."""
    count, on_left, on_right = right - left, left, image.shape[1] - right
    blend = min(max(2, round(_BLEND * count)), count)
    # How many come from the left: at least what the right has no room for.
    fewest = max(0, count + blend - _TIMES * on_right)
    most = min(count + blend, _TIMES * on_left)
    if fewest > most:
        return None
    # Where both have room, each goes on without a step: they mix between the two borders.
    low, high = max(fewest, min(blend, most)), min(most, max(count, fewest))
    taken = int(rng.integers(low, high + 1))
    columns = np.arange(count)
    share = np.clip((taken - columns) / blend, 0, 1).astype(np.float32)  # of the left one
    from_left = image[:, max(0, left - 1) - _mirrored(columns, on_left)]
    from_right = image[:, min(right, image.shape[1] - 1) + _mirrored(columns[::-1], on_right)]
    changed = image.copy()
    changed[:, left:right] = share * from_left + (1 - share) * from_right
    return changed


def _mirrored(distances: np.ndarray, room: int) -> np.ndarray:
    """Distances from a border, turned back at the end of the room; 0 where there is no room."""
    within = distances % max(1, 2 * room)
    return np.clip(np.minimum(within, 2 * room - 1 - within), 0, None)
