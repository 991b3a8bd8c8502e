"""The reference operations in the words that converters to other formats translate rightly.

For networks that are exported, not trained: where pixels are equal, the gradient of the pooling is
shared among them.
"""

from __future__ import annotations

import jax.numpy as jnp

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
    scale_channels,
    scale_pixels,
    scale_shift_act,
    shape,
    spatial_max,
    spatial_mean,
    unload,
    upsample2x,
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
