"""Pooling over space and weighting of channels and pixels."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from busjax.ops.cpu.layout import per_channel, sum_space
from busjax.ops.interface import Array, Feature


@jax.custom_vjp
def spatial_mean(x: Feature) -> Array:
    return sum_space(x).T / x[0, 0].size


def _spatial_mean_forward(x: Feature) -> tuple[Array, Feature]:
    return spatial_mean(x), x


def _spatial_mean_backward(x: Feature, g: Array) -> tuple[Feature]:
    return (jnp.broadcast_to(per_channel(g.T / x[0, 0].size), x.shape).astype(x.dtype),)


spatial_mean.defvjp(_spatial_mean_forward, _spatial_mean_backward)


@jax.custom_vjp
def spatial_max(x: Feature) -> Array:
    return x.max((2, 3)).T.astype(jnp.float32)


def _spatial_max_forward(x: Feature) -> tuple[Array, tuple[Feature, Array]]:
    c, b, h, w = x.shape
    flat = x.reshape(c, b, h * w)
    where = jnp.argmax(flat, -1, keepdims=True)
    # x is kept for its shape and dtype alone: XLA drops what is not read.
    return jnp.take_along_axis(flat, where, -1)[..., 0].T.astype(jnp.float32), (x, where)


def _spatial_max_backward(residuals: tuple[Feature, Array], g: Array) -> tuple[Feature]:
    # By position: where x is computed anew for the gradient it may be rounded otherwise, and
    # then no value need equal the largest.
    x, where = residuals
    h, w = x.shape[2:]
    is_largest = jnp.arange(h * w) == where
    return (jnp.where(is_largest, g.T[..., None], 0.0).reshape(x.shape).astype(x.dtype),)


spatial_max.defvjp(_spatial_max_forward, _spatial_max_backward)


@jax.custom_vjp
def scale_channels(x: Feature, factor: Array) -> Feature:
    return x * per_channel(factor.T).astype(x.dtype)


def _scale_channels_forward(x: Feature, factor: Array) -> tuple[Feature, tuple[Feature, Array]]:
    return scale_channels(x, factor), (x, factor)


def _scale_channels_backward(residuals: tuple[Feature, Array], g: Feature) -> tuple[Feature, Array]:
    x, factor = residuals
    d_factor = sum_space(x.astype(jnp.float32) * g.astype(jnp.float32)).T
    if factor.shape[1] == 1:
        d_factor = d_factor.sum(1, keepdims=True)
    return scale_channels(g, factor), d_factor.astype(factor.dtype)


scale_channels.defvjp(_scale_channels_forward, _scale_channels_backward)


def scale_pixels(x: Feature, factor: Feature) -> Feature:
    # In float32, so that the gradient of the factor is summed over the channels in float32.
    return (x.astype(jnp.float32) * factor.astype(jnp.float32)).astype(x.dtype)
