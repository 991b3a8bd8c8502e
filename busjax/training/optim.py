"""The learning-rate schedule and the Optax chain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict


def schedule(optim: ConfigDict, total_steps: int) -> optax.Schedule:
    """Linear warm-up, then a cosine to `final_fraction` of the peak; maps a step to a rate."""
    warmup = min(round(optim.warmup_fraction * total_steps), total_steps - 1)
    return optax.warmup_cosine_decay_schedule(
        init_value=optim.learning_rate / max(warmup, 1),
        peak_value=optim.learning_rate,
        warmup_steps=warmup,
        decay_steps=total_steps,
        end_value=optim.learning_rate * optim.final_fraction,
    )


def optimizer(optim: ConfigDict, total_steps: int, epochs: int = 1) -> optax.GradientTransformation:
    """Clipping by the global norm, then AdamW whose decay spares norms and biases.

    The encoder (but for a finest level that no published network has) moves at
    `encoder_rate` times the learning rate, and not at all in its first `encoder_frozen_epochs`.
    """
    clip = optax.clip_by_global_norm(optim.clip_norm) if optim.clip_norm else optax.identity()
    steps = [
        clip,
        optax.adamw(schedule(optim, total_steps), weight_decay=optim.weight_decay, mask=decayed),
    ]
    if optim.encoder_rate != 1.0 or optim.encoder_frozen_epochs:
        frozen = round(total_steps * optim.encoder_frozen_epochs / epochs)

        def factor(step: jax.Array) -> jax.Array:
            return jnp.where(step < frozen, 0.0, optim.encoder_rate)

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
