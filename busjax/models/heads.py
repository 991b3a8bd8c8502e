"""The heads: a 1x1 convolution for the mask, a multi-scale classifier for the image."""

from __future__ import annotations

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp

from busjax.classes import CLASSES
from busjax.config import Model
from busjax.models.blocks import BlockSpec, Conv, Dropout
from busjax.ops.interface import Array, Feature, Ops


class SegmentationHead(nn.Module):
    """A feature becomes mask logits (B, H, W, 1) float32."""

    ops: Ops

    @nn.compact
    def __call__(self, x: Feature) -> Array:
        return self.ops.unload(Conv(self.ops, 1, size=1, use_bias=True, name="conv")(x))


class AttentivePool(nn.Module):
    """Channel attention, then global average pooling: a feature becomes (B, C) float32.

    `mean(x * sigmoid(mlp([mean(x), max(x)])))` with C/16 hidden units, 4 at least (ACSNet 2024;
    channel attention after CBAM, Woo 2018, arXiv:1807.06521). The attention is one factor a
    channel: it is taken out of the mean, and the weighted feature is never made.
    """

    ops: Ops

    @nn.compact
    def __call__(self, x: Feature) -> Array:
        channels = self.ops.shape(x)[-1]
        mean = self.ops.spatial_mean(x)
        pooled = jnp.concatenate([mean, self.ops.spatial_max(x)], -1)
        hidden = nn.relu(nn.Dense(max(channels // 16, 4), name="squeeze")(pooled))
        return mean * jax.nn.sigmoid(nn.Dense(channels, name="excite")(hidden))


class Classifier(nn.Module):
    """Features of several scales become class logits (B, classes) float32 (ACSNet 2024).

    Attributes:
        classes: to tell apart.
        hidden: units of the hidden layer.
        dropout: share of the pooled features, and of the hidden units, that is dropped.
    """

    spec: BlockSpec = dataclasses.field(default_factory=BlockSpec)
    classes: int = len(CLASSES)
    hidden: int = Model.classifier_hidden
    dropout: float = Model.classifier_dropout

    @nn.compact
    def __call__(self, xs: tuple[Feature, ...], train: bool = False) -> Array:
        pooled = [AttentivePool(self.spec.ops, name=f"pool_{i}")(x) for i, x in enumerate(xs)]
        y = jnp.concatenate(pooled, -1)
        y = Dropout(self.dropout, self.spec.axis_name)(y, train)
        y = nn.relu(nn.Dense(self.hidden, name="hidden")(y))
        y = Dropout(self.dropout, self.spec.axis_name)(y, train)
        return nn.Dense(self.classes, name="logits")(y)
