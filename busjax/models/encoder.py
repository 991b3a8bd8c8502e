"""The plain encoder: an image becomes a list of features, fine to coarse."""

from __future__ import annotations

import dataclasses

import flax.linen as nn
import jax.numpy as jnp

from busjax.config import Model
from busjax.models.blocks import BlockSpec, ConvBlock
from busjax.ops.interface import Array, Dtype, Feature


class ConvEncoder(nn.Module):
    """The contracting path of the U-Net (Ronneberger 2015, arXiv:1505.04597).

    Gives `depth + 1` features: level i has `width * 2^i` channels at 1 / 2^i of the size; the
    last is the bottleneck.

    Attributes:
        width: channels of the finest feature.
        depth: times that it halves the image.
        dtype: of the features.
    """

    spec: BlockSpec = dataclasses.field(default_factory=BlockSpec)
    width: int = Model.width
    depth: int = Model.depth
    dtype: Dtype = jnp.float32

    @property
    def halvings(self) -> int:
        """Times that it halves the image."""
        return self.depth

    @nn.compact
    def __call__(self, image: Array, train: bool = False) -> list[Feature]:
        """Maps (B, H, W, C) float32 in [0, 1], H and W divisible by 2^depth, to features."""
        x = self.spec.ops.load(image - 0.5, self.dtype)
        features = []
        for level in range(self.depth + 1):
            if level > 0:
                x = self.spec.ops.max_pool2x2(x)
            x = ConvBlock(self.spec, self.width * 2**level, name=f"level_{level}")(x, train=train)
            features.append(x)
        return features
