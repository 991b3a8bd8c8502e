"""How unsure networks are of an image, from what they say of it and of its mirrored views."""

from __future__ import annotations

import itertools
from typing import cast

import flax.struct
import jax.numpy as jnp

from busjax.classes import NORMAL
from busjax.ops.interface import Array

_SMALLEST = 1e-12  # of a probability whose logarithm is taken, and of a sum that is divided by


@flax.struct.dataclass
class Uncertainty:
    """Of B images, each (B,) float32 in [0, 1], 0 where all is sure.

    It is of the probabilities before calibration and refinement, whatever those are.

    Attributes:
        mask: one less the soft Dice confidence (Borges et al., arXiv:2402.10665): the Dice that the
            mask's own probabilities promise it; of an empty mask the largest probability.
        classes: entropy of the classes, as a share of the largest there can be.
        contradiction: how far the two heads differ on whether there is a lesion: by the mask's
            largest probability, and by the class 'normal'.
        mask_disagreement: one less the mean Dice of the masks of two views, over all pairs (Roy et
            al., NeuroImage 195, 2019); 0 of a single view.
        class_disagreement: mutual information of class and view (Gal, 2016, sec. 3.3.1), as a share
            of the largest entropy; 0 of a single view.
    """

    mask: Array
    classes: Array
    contradiction: Array
    mask_disagreement: Array
    class_disagreement: Array


def of_views(masks: list[Array], classes: list[Array]) -> Uncertainty:
    """Returns what the views of each image leave open.

    A view is what one member of an ensemble says of the image as it is, or mirrored.

    Args:
        masks: of each view (B, H, W, 1), probabilities of the tumour, 0 around the image.
        classes: of each view (B, classes), rows sum to 1.
    """
    mask, average = (cast(Array, sum(views) / len(views)) for views in (masks, classes))
    entropies = [_entropy(each) for each in classes]
    whole = _entropy(average)
    information = jnp.maximum(whole - sum(entropies) / len(entropies), 0.0)
    return Uncertainty(
        mask=1.0 - _soft_dice_confidence(mask),
        classes=whole,
        contradiction=jnp.abs(mask.max((1, 2, 3)) - (1.0 - average[:, NORMAL])),
        mask_disagreement=_disagreement([mask >= 0.5 for mask in masks]),
        class_disagreement=information,
    )


def _soft_dice_confidence(probability: Array) -> Array:
    drawn = (probability >= 0.5).astype(jnp.float32)
    axes = (1, 2, 3)
    both = 2.0 * (probability * drawn).sum(axes)
    promised = both / jnp.maximum(probability.sum(axes) + drawn.sum(axes), _SMALLEST)
    return jnp.where(drawn.any(axes), promised, 1.0 - probability.max(axes))


def _disagreement(masks: list[Array]) -> Array:
    pairs = [1.0 - _dice(one, other) for one, other in itertools.combinations(masks, 2)]
    if not pairs:
        return jnp.zeros(masks[0].shape[0], jnp.float32)
    return cast(Array, sum(pairs) / len(pairs))


def _dice(one: Array, other: Array) -> Array:
    """Of masks (B, H, W, 1) bool; 1 where both are empty."""
    axes = (1, 2, 3)
    total = (one.sum(axes) + other.sum(axes)).astype(jnp.float32)
    both = 2.0 * (one & other).sum(axes)
    return jnp.where(total > 0, both / jnp.maximum(total, 1.0), 1.0)


def _entropy(probabilities: Array) -> Array:
    """(B, classes) -> (B,) in [0, 1], 1 where all classes are as likely."""
    logarithms = jnp.log(jnp.maximum(probabilities, _SMALLEST))
    return -(probabilities * logarithms).sum(-1) / jnp.log(float(probabilities.shape[-1]))
