"""The refined output: the mask agrees with the class."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp

from busjax.ops.interface import Array

# What the mask is multiplied with, per image: (B,) float32 in [0, 1].
REFINEMENTS: dict[str, Callable[[Array, int], Array]] = {
    "none": lambda p, normal: jnp.ones_like(p[:, normal]),
    "hard": lambda p, normal: (jnp.argmax(p, -1) != normal).astype(p.dtype),
    "soft": lambda p, normal: 1.0 - p[:, normal],
}


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
    return mask * REFINEMENTS[mode](class_probability, normal_class)[:, None, None, None]
