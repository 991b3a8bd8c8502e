"""The learning-rate schedule and the Optax chain."""

from __future__ import annotations

from typing import Any

import jax
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


def optimizer(optim: ConfigDict, total_steps: int) -> optax.GradientTransformation:
    """Clipping by the global norm, then AdamW whose decay spares norms and biases."""
    clip = optax.clip_by_global_norm(optim.clip_norm) if optim.clip_norm else optax.identity()
    return optax.chain(
        clip,
        optax.adamw(schedule(optim, total_steps), weight_decay=optim.weight_decay, mask=decayed),
    )


def decayed(params: Any) -> Any:
    """True for kernels (two dimensions or more), False for scales and biases: a tree of bool."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)
