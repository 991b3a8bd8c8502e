"""Normalisation, bias and activation; the backward pass computes again what is cheap to compute.

The gradients are written out so that sums over space which need the same pixels share a pass over
them (`sum_space_of`), and so that bfloat16 is rounded once.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from busjax.ops.cpu.layout import per_channel, sum_space, sum_space_of
from busjax.ops.interface import Array, Feature


@jax.custom_vjp
def add_bias(x: Feature, bias: Array) -> Feature:
    return x + per_channel(bias).astype(x.dtype)


def _add_bias_forward(x: Feature, bias: Array) -> tuple[Feature, None]:
    return add_bias(x, bias), None


def _add_bias_backward(_: None, g: Feature) -> tuple[Feature, Array]:
    return g, sum_space(g).sum(1)


add_bias.defvjp(_add_bias_forward, _add_bias_backward)


@jax.custom_vjp
def batch_moments(x: Feature) -> tuple[Array, Array]:
    mean, square = _image_moments(x)
    return mean.mean(1), square.mean(1)


def _batch_moments_forward(x: Feature) -> tuple[tuple[Array, Array], Feature]:
    return batch_moments(x), x


def _batch_moments_backward(x: Feature, g: tuple[Array, Array]) -> tuple[Feature]:
    d_mean, d_square = (v[:, None] / x.shape[1] for v in g)
    return (_image_moments_gradient(x, d_mean, d_square).astype(x.dtype),)


batch_moments.defvjp(_batch_moments_forward, _batch_moments_backward)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def scale_shift_act(x: Feature, scale: Array, shift: Array, slope: float) -> Feature:
    return _affine_act(x, scale[:, None], shift[:, None], slope)


def _scale_shift_act_forward(
    x: Feature, scale: Array, shift: Array, slope: float
) -> tuple[Feature, tuple[Feature, Array, Array]]:
    return scale_shift_act(x, scale, shift, slope), (x, scale, shift)


def _scale_shift_act_backward(
    slope: float, residuals: tuple[Feature, Array, Array], g: Feature
) -> tuple[Feature, Array, Array]:
    x, scale, shift = residuals
    dx, d_scale, d_shift = _affine_act_gradients(x, scale[:, None], shift[:, None], slope, g)
    return dx.astype(x.dtype), d_scale.sum(1), d_shift.sum(1)


scale_shift_act.defvjp(_scale_shift_act_forward, _scale_shift_act_backward)


@partial(jax.custom_vjp, nondiff_argnums=(3, 4, 5))
def group_norm_act(
    x: Feature, scale: Array, bias: Array, groups: int, slope: float, epsilon: float
) -> Feature:
    return _group_norm_act_forward(x, scale, bias, groups, slope, epsilon)[0]


def _group_norm_act_forward(
    x: Feature, scale: Array, bias: Array, groups: int, slope: float, epsilon: float
) -> tuple[Feature, tuple[Array, ...]]:
    mean, square = _image_moments(x)
    factor, shift = _group_affine(groups, epsilon, mean, square, scale, bias)
    return _affine_act(x, factor, shift, slope), (x, mean, square, scale, bias)


def _group_norm_act_backward(
    groups: int, slope: float, epsilon: float, residuals: tuple[Array, ...], g: Feature
) -> tuple[Feature, Array, Array]:
    x, *statistics = residuals
    (factor, shift), pull_back = jax.vjp(partial(_group_affine, groups, epsilon), *statistics)
    dx, d_factor, d_shift = _affine_act_gradients(x, factor, shift, slope, g)
    d_mean, d_square, d_scale, d_bias = pull_back((d_factor, d_shift))
    dx = dx + _image_moments_gradient(x, d_mean, d_square)
    return dx.astype(x.dtype), d_scale, d_bias


group_norm_act.defvjp(_group_norm_act_forward, _group_norm_act_backward)


def _group_affine(
    groups: int, epsilon: float, mean: Array, square: Array, scale: Array, bias: Array
) -> tuple[Array, Array]:
    """Factor and shift (C, B) that normalise every group of channels, from moments (C, B)."""
    mean, square = _group_mean(mean, groups), _group_mean(square, groups)
    variance = jnp.maximum(square - mean * mean, 0.0)
    factor = scale[:, None] * lax.rsqrt(variance + epsilon)
    return factor, bias[:, None] - mean * factor


def _group_mean(moment: Array, groups: int) -> Array:
    """Replaces (C, B) by the mean over each group of channels."""
    c, b = moment.shape
    mean = moment.reshape(groups, c // groups, b).mean(1, keepdims=True)
    return jnp.broadcast_to(mean, (groups, c // groups, b)).reshape(c, b)


def _image_moments(x: Feature) -> tuple[Array, Array]:
    """Mean and mean square over space: two (C, B) float32."""
    pixels = x[0, 0].size
    y = x.astype(jnp.float32)
    total, square = sum_space_of([y, y * y])
    return total / pixels, square / pixels


def _image_moments_gradient(x: Feature, d_mean: Array, d_square: Array) -> Array:
    pixels = x[0, 0].size
    return per_channel(d_mean / pixels) + per_channel(2 * d_square / pixels) * x.astype(jnp.float32)


def _affine_act(x: Feature, factor: Array, shift: Array, slope: float) -> Feature:
    """Leaky ReLU of x * factor + shift; factor and shift (C, B) or (C, 1)."""
    y = x.astype(jnp.float32) * per_channel(factor) + per_channel(shift)
    return (y if slope == 1.0 else jnp.where(y >= 0, y, slope * y)).astype(x.dtype)


def _affine_act_gradients(
    x: Feature, factor: Array, shift: Array, slope: float, g: Feature
) -> tuple[Array, Array, Array]:
    """Gradients of `_affine_act`: of x in float32, of factor and shift by image (C, B)."""
    y, dz = x.astype(jnp.float32), g.astype(jnp.float32)
    if slope != 1.0:
        dz = jnp.where(y * per_channel(factor) + per_channel(shift) >= 0, dz, slope * dz)
    d_factor, d_shift = sum_space_of([dz * y, dz])
    return dz * per_channel(factor), d_factor, d_shift
