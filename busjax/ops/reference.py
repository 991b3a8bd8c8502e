"""The operations in plain lax, NHWC: for GPU and TPU, and the truth that others are tested against.

See `busjax.ops.interface` for what each one means.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from busjax.ops.interface import Array, Dtype, Feature, Tree

_NHWC = ("NHWC", "HWIO", "NHWC")


def map_batch(function: Callable[[Array], Tree], image: Array, dtype: Dtype) -> Tree:
    return function(image)


def load(image: Array, dtype: Dtype) -> Feature:
    return image.astype(dtype)


def unload(x: Feature) -> Array:
    return x.astype(jnp.float32)


def shape(x: Feature) -> tuple[int, int, int, int]:
    b, h, w, c = x.shape
    return b, h, w, c


def conv3x3(xs: tuple[Feature, ...], kernel: Array) -> Feature:
    x = concatenate(xs)
    return lax.conv_general_dilated(
        x, kernel.astype(x.dtype), (1, 1), "SAME", dimension_numbers=_NHWC
    )


def conv1x1(xs: tuple[Feature, ...], kernel: Array) -> Feature:
    x = concatenate(xs)
    return x @ kernel[0, 0].astype(x.dtype)


def conv_transpose2x2(x: Feature, kernel: Array) -> Feature:
    # One matmul and a pixel shuffle: XLA's own transposed convolution and its gradients are slow
    # on CPUs and on CUDA (jax issues 23783 and 31662).
    b, h, w, c = x.shape
    o = kernel.shape[-1]
    y = x @ kernel.transpose(2, 0, 1, 3).reshape(c, 4 * o).astype(x.dtype)
    return y.reshape(b, h, w, 2, 2, o).transpose(0, 1, 3, 2, 4, 5).reshape(b, 2 * h, 2 * w, o)


def depthwise_conv(x: Feature, kernel: Array, stride: int = 1) -> Feature:
    return lax.conv_general_dilated(
        x,
        kernel.astype(x.dtype),
        (stride, stride),
        "SAME",
        dimension_numbers=_NHWC,
        feature_group_count=x.shape[-1],
    )


def add_bias(x: Feature, bias: Array) -> Feature:
    return x + bias.astype(x.dtype)


def max_pool2x2(x: Feature) -> Feature:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def upsample2x(x: Feature) -> Feature:
    b, h, w, c = x.shape
    return jax.image.resize(x, (b, 2 * h, 2 * w, c), "bilinear")


def group_norm_act(
    x: Feature, scale: Array, bias: Array, groups: int, slope: float, epsilon: float
) -> Feature:
    b, h, w, c = x.shape
    y = x.astype(jnp.float32).reshape(b, h * w, groups, c // groups)
    mean = y.mean((1, 3), keepdims=True)
    variance = jnp.square(y - mean).mean((1, 3), keepdims=True)
    y = ((y - mean) * lax.rsqrt(variance + epsilon)).reshape(b, h, w, c)
    return _leaky_relu(y * scale + bias, slope).astype(x.dtype)


def batch_moments(x: Feature) -> tuple[Array, Array]:
    y = x.astype(jnp.float32)
    return y.mean((0, 1, 2)), jnp.square(y).mean((0, 1, 2))


def scale_shift_act(x: Feature, scale: Array, shift: Array, slope: float) -> Feature:
    return _leaky_relu(x.astype(jnp.float32) * scale + shift, slope).astype(x.dtype)


def concatenate(xs: tuple[Feature, ...]) -> Feature:
    return xs[0] if len(xs) == 1 else jnp.concatenate(xs, -1)


def spatial_mean(x: Feature) -> Array:
    return x.astype(jnp.float32).mean((1, 2))


def spatial_max(x: Feature) -> Array:
    # By position, not jnp.max, whose gradient asks which values equal the largest: where XLA
    # computes x anew for the gradient and rounds it otherwise, none does, and 0 / 0 is NaN.
    b, h, w, c = x.shape
    flat = x.reshape(b, h * w, c)
    where = jnp.argmax(flat, 1, keepdims=True)
    return jnp.take_along_axis(flat, where, 1)[:, 0].astype(jnp.float32)


def scale_channels(x: Feature, factor: Array) -> Feature:
    return x * factor[:, None, None, :].astype(x.dtype)


def scale_pixels(x: Feature, factor: Feature) -> Feature:
    return x * factor


def _leaky_relu(x: Array, slope: float) -> Array:
    return x if slope == 1.0 else jnp.where(x >= 0, x, slope * x)
