"""The refined output: mask and class agree."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp

from busjax.ops.interface import Array


def _unless_normal(p: Array, normal: int) -> Array:
    return (jnp.argmax(p, -1) != normal).astype(p.dtype)


# What the mask is multiplied with, per image: (B,) float32 in [0, 1].
REFINEMENTS: dict[str, Callable[[Array, int], Array]] = {
    "none": lambda p, normal: jnp.ones_like(p[:, normal]),
    "hard": _unless_normal,
    "soft": lambda p, normal: 1.0 - p[:, normal],
    "both": _unless_normal,
}


def refine(
    mask: Array, class_probability: Array, mode: str, normal_class: int
) -> tuple[Array, Array]:
    """Makes mask and class agree (Aumente-Maestro 2025, sec. 3).

    Args:
        mask: (B, H, W, 1) float32 in [0, 1], the tumour's probability.
        class_probability: (B, classes) float32, rows sum to 1.
        mode: 'none': as they are; 'hard': the mask is 0 everywhere where 'normal' is the likeliest
            class; 'soft': it is multiplied with the probability that there is a lesion; 'both':
            hard, and a lesion whose mask is empty (below 0.5 everywhere) is called normal: its
            probability and that of normal change places.
        normal_class: index of the class without a lesion.

    Returns:
        Mask and class probabilities, of the same shapes.
    """
    refined = mask * REFINEMENTS[mode](class_probability, normal_class)[:, None, None, None]
    if mode != "both":
        return refined, class_probability
    empty = mask.max((1, 2, 3)) < 0.5
    return refined, jnp.where(empty[:, None], _as_normal(class_probability, normal_class),
                              class_probability)  # fmt: skip


def _as_normal(p: Array, normal: int) -> Array:
    """The probabilities with those of the likeliest class and of 'normal' exchanged."""
    is_normal = jnp.arange(p.shape[-1]) == normal
    is_top = jnp.arange(p.shape[-1]) == jnp.argmax(p, -1, keepdims=True)
    top, of_normal = p.max(-1, keepdims=True), p[:, normal : normal + 1]
    return jnp.where(is_normal, top, jnp.where(is_top, of_normal, p))
