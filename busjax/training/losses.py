"""The loss: per-image terms, each with its source, and their weighted sum."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from busjax.models.network import Outputs
from busjax.ops.interface import Array
from busjax.training.hyperparameters import Form, LossWeights


def dice_loss(logits: Array, mask: Array, smooth: float = 1.0) -> Array:
    """`1 - (2 sum(p t) + 1) / (sum p + sum t + 1)`: (B,) float32 (Milletari 2016, 1606.04797).

    `smooth`, in pixels, makes an empty prediction of an empty mask cost 0, and gives an image
    without a lesion a loss that grows with the area that is wrongly marked.

    Args:
        logits: (B, H, W, 1) float32.
        mask: (B, H, W, 1) float32, 0 or 1.
    """
    probability = jax.nn.sigmoid(logits)
    overlap = jnp.sum(probability * mask, (1, 2, 3))
    total = jnp.sum(probability, (1, 2, 3)) + jnp.sum(mask, (1, 2, 3))
    return 1.0 - (2.0 * overlap + smooth) / (total + smooth)


def binary_cross_entropy(logits: Array, mask: Array) -> Array:
    """Mean over the pixels of an image: (B,) float32; arguments as for `dice_loss`."""
    return optax.sigmoid_binary_cross_entropy(logits, mask).mean((1, 2, 3))


def classification_loss(logits: Array, label: Array, form: Form) -> Array:
    """Cross-entropy or focal loss of the class: (B,) float32.

    The focal loss is `(1 - p_t)^gamma` times the cross-entropy (Lin 2017, arXiv:1708.02002, eq. 4).

    Args:
        logits: (B, classes) float32.
        label: (B,) int32.
        form: which of the two, and its `focal_gamma` and `label_smoothing`.
    """
    target = jax.nn.one_hot(label, logits.shape[-1])
    smoothed = optax.smooth_labels(target, form.label_smoothing)
    cross_entropy = optax.softmax_cross_entropy(logits, smoothed)
    if form.classifier == "cross_entropy":
        return cross_entropy
    missed = 1.0 - jnp.sum(jax.nn.softmax(logits) * target, -1)
    # A power of exactly 0 has no finite gradient for gamma < 1.
    return jnp.maximum(missed, 1e-7) ** form.focal_gamma * cross_entropy


def deep_supervision_weights(count: int) -> Array:
    """Weights of the masks X[0,d], X[0,d-1], ...: `1 / (n + 1)`, brought to the sum 1.

    (Aumente-Maestro 2025, without the normalisation, which keeps the mask's loss on one scale.)
    """
    weights = 1.0 / jnp.arange(1, count + 1)
    return weights / weights.sum()


def loss_terms(outputs: Outputs, mask: Array, label: Array, form: Form) -> dict[str, Array]:
    """Every term per image, by name: 'dice', 'bce', 'classification', each (B,) float32."""
    weights = deep_supervision_weights(len(outputs.mask_logits))

    def supervised(term: Callable[[Array, Array], Array]) -> Array:
        terms = jnp.stack([term(logits, mask) for logits in outputs.mask_logits])
        return weights @ terms

    return {
        "dice": supervised(dice_loss),
        "bce": supervised(binary_cross_entropy),
        "classification": classification_loss(outputs.class_logits, label, form),
    }


def initial_uncertainties() -> dict[str, Array]:
    """The learnt `s_k` of each task at the start, all 0."""
    return {"segmentation": jnp.zeros(()), "classification": jnp.zeros(())}


def combine(
    terms: dict[str, Array], weights: LossWeights, uncertainties: dict[str, Array]
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
