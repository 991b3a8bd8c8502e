"""The reference operations in the words that converters to other formats translate rightly.

For networks that are exported, not trained: where pixels are equal, the gradient of the pooling is
shared among them.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from busjax.ops.interface import Feature
from busjax.ops.reference import (
    add_bias,
    batch_moments,
    concatenate,
    conv1x1,
    conv3x3,
    conv_transpose2x2,
    depthwise_conv,
    group_norm_act,
    load,
    map_batch,
    scale_channels,
    scale_pixels,
    scale_shift_act,
    shape,
    spatial_max,
    spatial_mean,
    unload,
)

__all__ = [
    "add_bias",
    "batch_moments",
    "concatenate",
    "conv1x1",
    "conv3x3",
    "conv_transpose2x2",
    "depthwise_conv",
    "group_norm_act",
    "load",
    "map_batch",
    "max_pool2x2",
    "scale_channels",
    "scale_pixels",
    "scale_shift_act",
    "shape",
    "spatial_max",
    "spatial_mean",
    "unload",
    "upsample2x",
]


def max_pool2x2(x: Feature) -> Feature:
    """As the reference; its window over channels last becomes one over other axes in ONNX."""
    h, w = 2 * (x.shape[1] // 2), 2 * (x.shape[2] // 2)
    rows = jnp.maximum(x[:, 0:h:2], x[:, 1:h:2])
    return jnp.maximum(rows[:, :, 0:w:2], rows[:, :, 1:w:2])


def upsample2x(x: Feature) -> Feature:
    """As the reference, whose resizing cannot be translated for an unknown number of images."""
    b, h, w, c = x.shape
    return _doubled(_doubled(x, 1).reshape(b, 2 * h, w, c), 2).reshape(b, 2 * h, 2 * w, c)


def _doubled(x: Feature, axis: int) -> Feature:
    """Two pixels for each along an axis, on a new axis behind it; the edge is repeated."""
    n = x.shape[axis]
    first, last = lax.slice_in_dim(x, 0, 1, axis=axis), lax.slice_in_dim(x, n - 1, n, axis=axis)
    before = jnp.concatenate([first, lax.slice_in_dim(x, 0, n - 1, axis=axis)], axis)
    after = jnp.concatenate([lax.slice_in_dim(x, 1, n, axis=axis), last], axis)
    return jnp.stack([0.25 * before + 0.75 * x, 0.75 * x + 0.25 * after], axis + 1)
