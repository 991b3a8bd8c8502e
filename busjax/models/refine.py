"""The refined output: the mask agrees with the class."""

from __future__ import annotations

import jax.numpy as jnp

from busjax.errors import UserError
from busjax.ops.interface import Array

REFINEMENTS = ("none", "hard", "soft")


def refine(mask: Array, class_probability: Array, mode: str, normal_class: int) -> Array:
    """Blacks out the mask where the classifier sees no lesion (Aumente-Maestro 2025, sec. 3).

    Args:
        mask: (B, H, W, 1) float32 in [0, 1], the tumour's probability.
        class_probability: (B, classes) float32, rows sum to 1.
        mode: 'none': as it is; 'hard': 0 everywhere where 'normal' is the likeliest class;
            'soft': times the probability that there is a lesion.
        normal_class: index of the class without a lesion.

    Returns:
        (B, H, W, 1) float32 in [0, 1].
    """
    if mode not in REFINEMENTS:
        raise UserError(f"config.model.refine={mode!r} is unknown: choose one of {REFINEMENTS}")
    if mode == "none":
        return mask
    if mode == "soft":
        lesion = 1.0 - class_probability[:, normal_class]
    else:
        lesion = (jnp.argmax(class_probability, -1) != normal_class).astype(mask.dtype)
    return mask * lesion[:, None, None, None]
