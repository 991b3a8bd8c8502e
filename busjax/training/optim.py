"""The learning-rate schedule and the Optax chain."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from busjax.ops.interface import Array
from busjax.training.hyperparameters import Form, Hyperparameters


def learning_rate(numbers: Hyperparameters, step: Array) -> Array:
    """Linear warm-up, then a cosine to `final_fraction` of the peak, from a step's index: ().

    That of `optax.warmup_cosine_decay_schedule`, which asks its arguments for their values and so
    takes none that a compiled step gets as inputs.
    """
    peak, warmup = numbers.learning_rate, numbers.warmup_steps
    first = peak / jnp.maximum(warmup, 1.0)
    warming = first + (peak - first) * step / jnp.maximum(warmup, 1.0)
    done = jnp.clip((step - warmup) / (numbers.total_steps - warmup), 0.0, 1.0)
    cosine = 0.5 * (1.0 + jnp.cos(jnp.pi * done))
    falling = peak * (numbers.final_fraction + (1.0 - numbers.final_fraction) * cosine)
    return jnp.where(step < warmup, warming, falling)


def optimizer(form: Form, numbers: Hyperparameters) -> optax.GradientTransformation:
    """Clipping by the global norm, then AdamW whose decay spares norms and biases.

    The encoder (but for a finest level that no published network has) moves at
    `encoder_rate` times the learning rate, and not at all in its first `frozen_steps`.
    """
    rate = functools.partial(learning_rate, numbers)
    steps = [
        optax.clip_by_global_norm(numbers.clip_norm) if form.clips else optax.identity(),
        optax.adamw(rate, weight_decay=numbers.weight_decay, mask=decayed),
    ]
    if form.treats_encoder:

        def factor(step: Array) -> Array:
            return jnp.where(step < numbers.frozen_steps, 0.0, numbers.encoder_rate)

        steps.append(optax.masked(optax.scale_by_schedule(factor), of_encoder))
    return optax.chain(*steps)


def group_of(path: tuple[str, ...], leaf: Any) -> str:
    """The vector of a tensor of the network, by what the chain treats apart.

    Kernels (two dimensions or more), which decay, and scales and biases, which do not; 'encoder'
    is what published weights give, the encoder without 'finest'.
    """
    part = "encoder" if path[0] == "encoder" and "finest" not in path[:2] else "rest"
    return f"{part}/{'kernels' if leaf.ndim > 1 else 'vectors'}"


def of_encoder(params: Any) -> Any:
    """True for the vectors of `group_of` that are of the encoder: a tree of bool."""
    return _by_group(params, lambda group: group.startswith("encoder/"))


def decayed(params: Any) -> Any:
    """True for the vectors of `group_of` that hold kernels: a tree of bool."""
    return _by_group(params, lambda group: group.endswith("/kernels"))


def _by_group(params: Any, is_meant: Callable[[str], bool]) -> Any:
    """Learnt weights of the losses are in no group."""

    def answer(path: Any, _: Any) -> bool:
        return is_meant(getattr(path[-1], "key", ""))

    return jax.tree_util.tree_map_with_path(answer, params)
