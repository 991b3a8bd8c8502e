"""The whole network: encoder -> decoder -> heads."""

from __future__ import annotations

from typing import Any, Protocol

import chex
import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from busjax.errors import UserError
from busjax.models.blocks import BlockSpec
from busjax.models.heads import SegmentationHead
from busjax.models.presence import MaskPresence
from busjax.ops.interface import Array, Dtype, Feature


class Encoder(Protocol):
    """A flax module that reads the image.

    Attributes:
        spec: of its blocks.
        dtype: of its features.
    """

    spec: BlockSpec
    dtype: Dtype

    @property
    def halvings(self) -> int:
        """Times that it halves the image, whose sides must be divisible by 2 to that power."""
        ...

    def __call__(self, image: Array, train: bool = False) -> list[Feature]:
        """Maps images (B, H, W, C) float32 in [0, 1] to features, fine to coarse, from H x W on."""
        ...


class Decoder(Protocol):
    """A flax module that draws."""

    def __call__(
        self, features: list[Feature], train: bool = False
    ) -> tuple[tuple[Feature, ...], Feature]:
        """Maps the encoder's features to those that masks are made of, and one for the classifier.

        Returns:
            Features of the size of the image, that of the mask first, then those of deep
            supervision, deep to shallow; and the first decoded feature, of the size of the last
            encoder stage before the bottleneck.
        """
        ...


@flax.struct.dataclass
class Outputs:
    """What the network says of a batch, before any threshold.

    Attributes:
        mask_logits: each (B, H, W, 1) float32; the mask first, then the auxiliary masks of deep
            supervision, deep to shallow.
        class_logits: (B, classes) float32.
        features: (B, C) float32, all features of the encoder, each averaged over the image; in
            training None.
    """

    mask_logits: tuple[Array, ...]
    class_logits: Array
    features: Array | None = None


class MultiTaskNet(nn.Module):
    """Reads an image once; draws the tumour and names the class.

    `init(key, image)` makes every parameter, those that only training uses included.

    Attributes:
        encoder: gives features, fine to coarse.
        decoder: joins them.
        classifier: maps a tuple of features to class logits; such as `heads.Classifier`.
        deep_supervision: in training there is a mask of each feature that the decoder gives.
        presence: what tells whether there is a lesion: 'head', the classifier, or 'mask', see
            `presence.MaskPresence`.
    """

    encoder: Encoder
    decoder: Decoder
    classifier: nn.Module
    deep_supervision: bool = True
    presence: str = "head"

    @nn.compact
    def __call__(self, image: Array, train: bool = False, inside: Array | None = None) -> Outputs:
        """Maps images (B, H, W, C) float32 in [0, 1] to `Outputs`.

        Args:
            image: the images.
            train: whether it is being trained.
            inside: (B, H, W, 1), 1 on the image and 0 around it, which counts neither in
                `Outputs.features` nor for the presence by the mask; None: it fills the square.

        Raises:
            UserError: H or W is not divisible by the stride of the coarsest feature.
        """
        chex.assert_rank(image, 4)
        check_image_size(image.shape[1], image.shape[2], self.encoder.halvings)
        features = self.encoder(image, train)
        finest, coarse = self.decoder(features, train)

        is_supervised = self.deep_supervision and (train or self.is_initializing())
        masks = finest if is_supervised else finest[:1]
        names = [f"mask_{len(finest) - i}" for i in range(len(masks))]
        mask_logits = tuple(
            SegmentationHead(self.encoder.spec.ops, name=name)(x)
            for name, x in zip(names, masks, strict=True)
        )
        class_logits = self.classifier((features[-2], features[-1], coarse), train)
        if self.presence == "mask":
            by_mask = MaskPresence(name="presence_by_mask")
            class_logits = by_mask(mask_logits[0], class_logits, inside)
        pooled = None if train else _averages(self.encoder, features, inside)
        return Outputs(mask_logits, class_logits, pooled)


def _averages(encoder: Encoder, features: list[Feature], inside: Array | None) -> Array:
    """The mean of every feature over the image, (B, C) float32.

    What lies around an image would tell of its proportions, and of nothing else.
    """
    ops = encoder.spec.ops
    if inside is None:
        return jnp.concatenate([ops.spatial_mean(x) for x in features], -1)
    means, mask = [], ops.load(inside, encoder.dtype)
    for x in features:
        while ops.shape(mask)[1] > ops.shape(x)[1]:
            mask = ops.max_pool2x2(mask)
        share = jnp.maximum(ops.spatial_mean(mask), 1e-6)  # nothing is inside an image that is none
        means.append(ops.spatial_mean(ops.scale_pixels(x, mask)) / share)
    return jnp.concatenate(means, -1)


def check_image_size(height: int, width: int, depth: int) -> None:
    """Raises a UserError that names the next size that fits, unless 2^depth divides both."""
    step = 2**depth
    if height % step or width % step:
        fits = tuple(-(-side // step) * step for side in (height, width))
        raise UserError(
            f"an image of {height} x {width} cannot be halved {depth} times: both sides must be "
            f"divisible by {step}; the next size that fits is {fits[0]} x {fits[1]}"
        )


def count_parameters(params: Any) -> int:
    """Number of trainable values in a tree of parameters."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
