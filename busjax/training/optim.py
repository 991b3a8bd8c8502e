"""The learning-rate schedule and the Optax chain."""

from __future__ import annotations

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


def of_encoder(params: Any) -> Any:
    """True for what published weights give, the encoder without 'finest': a tree of bool."""

    def told(path: Any, _: Any) -> bool:
        names = [key.key for key in path]
        return names[:2] == ["network", "encoder"] and "finest" not in names[:3]

    return jax.tree_util.tree_map_with_path(told, params)


def decayed(params: Any) -> Any:
    """True for kernels (two dimensions or more), False for scales and biases: a tree of bool."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)
