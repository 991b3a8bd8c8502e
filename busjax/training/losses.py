"""The loss: per-image terms, each with its source, and their weighted sum."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from busjax.config import Loss
from busjax.models.network import Outputs
from busjax.ops.interface import Array


@flax.struct.dataclass
class LossWeights:
    """Weights of the terms of the loss, each 0 or more; see `combine`."""

    dice: Any = Loss.dice
    bce: Any = Loss.bce
    segmentation: Any = Loss.segmentation
    classification: Any = Loss.classification


DEFAULT_WEIGHTS = LossWeights()


def dice_loss(
    logits: Array, mask: Array, inside: Array | None = None, smooth: float = 1.0
) -> Array:
    """`1 - (2 sum(p t) + 1) / (sum p + sum t + 1)`: (B,) float32 (Milletari 2016, 1606.04797).

    `smooth`, in pixels, makes an empty prediction of an empty mask cost 0, and gives an image
    without a lesion a loss that grows with the area that is wrongly marked.

    Args:
        logits: (B, H, W, 1) float32.
        mask: (B, H, W, 1) float32, 0 or 1.
        inside: (B, H, W, 1) float32, 1 where a pixel counts, 0 around an image; None: all count.
    """
    probability = jax.nn.sigmoid(logits)
    if inside is not None:
        probability, mask = probability * inside, mask * inside
    overlap = jnp.sum(probability * mask, (1, 2, 3))
    total = jnp.sum(probability, (1, 2, 3)) + jnp.sum(mask, (1, 2, 3))
    return 1.0 - (2.0 * overlap + smooth) / (total + smooth)


def binary_cross_entropy(logits: Array, mask: Array, inside: Array | None = None) -> Array:
    """Mean over the pixels that count: (B,) float32; arguments as for `dice_loss`."""
    of_pixels = optax.sigmoid_binary_cross_entropy(logits, mask)
    if inside is None:
        return of_pixels.mean((1, 2, 3))
    # An image that only fills a batch up has no pixel that counts.
    return jnp.sum(of_pixels * inside, (1, 2, 3)) / jnp.maximum(jnp.sum(inside, (1, 2, 3)), 1.0)


def cross_entropy(logits: Array, label: Array, smoothing: float = 0.0) -> Array:
    """Cross-entropy of the class: (B,) float32.

    Args:
        logits: (B, classes) float32.
        label: (B,) int32.
        smoothing: share of the target, in [0, 1], that is spread over all classes.
    """
    target = optax.smooth_labels(jax.nn.one_hot(label, logits.shape[-1]), smoothing)
    return optax.softmax_cross_entropy(logits, target)


def focal_loss(logits: Array, label: Array, gamma: float = 2.0, smoothing: float = 0.0) -> Array:
    """`(1 - p_t)^gamma` times the cross-entropy (Lin 2017, arXiv:1708.02002, eq. 4): (B,) float32.

    Args:
        logits: (B, classes) float32.
        label: (B,) int32.
        gamma: the focusing parameter, 0 or more.
        smoothing: of the cross-entropy.
    """
    target = jax.nn.one_hot(label, logits.shape[-1])
    missed = 1.0 - jnp.sum(jax.nn.softmax(logits) * target, -1)
    # A power of exactly 0 has no finite gradient for gamma < 1.
    return jnp.maximum(missed, 1e-7) ** gamma * cross_entropy(logits, label, smoothing)


def deep_supervision_weights(count: int) -> Array:
    """Weights of the masks X[0,d], X[0,d-1], ...: `1 / (n + 1)`, brought to the sum 1.

    (Aumente-Maestro 2025, without the normalisation, which keeps the mask's loss on one scale.)
    """
    weights = 1.0 / jnp.arange(1, count + 1)
    return weights / weights.sum()


def loss_terms(
    outputs: Outputs,
    mask: Array,
    label: Array,
    classification: Callable[[Array, Array], Array] = cross_entropy,
    inside: Array | None = None,
) -> dict[str, Array]:
    """Every term per image, by name: 'dice', 'bce', 'classification', each (B,) float32.

    Args:
        outputs: of a `MultiTaskNet`; its masks count by `deep_supervision_weights`.
        mask: (B, H, W, 1) float32, 0 or 1.
        label: (B,) int32.
        classification: the loss of the class, from logits and label.
        inside: see `dice_loss`.
    """
    weights = deep_supervision_weights(len(outputs.mask_logits))

    def supervised(term: Callable[[Array, Array, Array | None], Array]) -> Array:
        terms = jnp.stack([term(logits, mask, inside) for logits in outputs.mask_logits])
        return weights @ terms

    return {
        "dice": supervised(dice_loss),
        "bce": supervised(binary_cross_entropy),
        "classification": classification(outputs.class_logits, label),
    }


def initial_uncertainties() -> dict[str, Array]:
    """The learnt `s_k` of each task at the start, all 0."""
    return {"segmentation": jnp.zeros(()), "classification": jnp.zeros(())}


def combine(
    terms: dict[str, Array],
    weights: LossWeights = DEFAULT_WEIGHTS,
    uncertainties: Mapping[str, Array] = MappingProxyType({}),
) -> Array:
    """The loss per image (B,) float32: the weighted sum of the terms.

    With `uncertainties` each weighted task loss `L_k` counts as `exp(-s_k) L_k + s_k` with `s_k`
    learnt (Kendall 2018, arXiv:1705.07115, in the form of Liebel 2018).
    """
    mask = weights.dice * terms["dice"] + weights.bce * terms["bce"]
    tasks = {
        "segmentation": weights.segmentation * mask,
        "classification": weights.classification * terms["classification"],
    }
    if not uncertainties:
        return tasks["segmentation"] + tasks["classification"]
    return sum(
        (jnp.exp(-uncertainties[task]) * value + uncertainties[task])
        for task, value in tasks.items()
    )
