"""Whether there is a lesion, told by the mask itself; the classifier says of which kind it is."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from busjax.classes import CLASSES, NORMAL
from busjax.ops.interface import Array

_SHARPNESS = 4.0  # of the smooth maximum: from the mean (0) to the maximum (infinite)
_OUTSIDE = -1e4  # a logit that counts for nothing


class MaskPresence(nn.Module):
    """Class logits, of which the normal class is what the mask's logits leave to it.

    The mask is pooled by a smooth maximum (Pinheiro and Collobert, CVPR 2015, arXiv:1411.6228,
    eq. 4), scaled and shifted by two learnt numbers: the logit that there is a lesion. Benign and
    malignant share its probability as the classifier says. So mask and class cannot contradict each
    other, and images without a mask train both.
    """

    @nn.compact
    def __call__(self, mask_logits: Array, class_logits: Array, inside: Array | None) -> Array:
        """Returns the logarithms of the class probabilities, (B, classes) float32.

        Args:
            mask_logits: (B, H, W, 1) float32.
            class_logits: (B, classes) float32; that of the normal class counts for nothing.
            inside: (B, H, W, 1), 1 on the image and 0 around it; None: it fills the square.
        """
        scale = self.param("scale", nn.initializers.ones, ())
        shift = self.param("shift", nn.initializers.zeros, ())
        evidence = scale * _smooth_maximum(mask_logits, inside) + shift
        kinds = jax.nn.log_softmax(jnp.delete(class_logits, NORMAL, axis=-1))
        lesions = jax.nn.log_sigmoid(evidence)[:, None] + kinds
        normal = jax.nn.log_sigmoid(-evidence)[:, None]
        assert len(CLASSES) - 1 == NORMAL
        return jnp.concatenate([lesions, normal], axis=-1)


def _smooth_maximum(logits: Array, inside: Array | None) -> Array:
    """(B, H, W, 1) -> (B,), over the pixels of the image."""
    axes = (1, 2, 3)
    within = jnp.ones_like(logits) if inside is None else inside.astype(logits.dtype)
    scaled = jnp.where(within > 0, _SHARPNESS * logits, _OUTSIDE)
    count = jnp.maximum(within.sum(axes), 1.0)
    return (jax.nn.logsumexp(scaled, axis=axes) - jnp.log(count)) / _SHARPNESS
