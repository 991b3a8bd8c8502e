"""Pooling and up-sampling by two, one axis after the other, with gradients written out."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from busjax.ops.cpu.layout import join_columns, join_rows, split_columns, split_rows
from busjax.ops.interface import Array, Feature


@jax.custom_vjp
def max_pool2x2(x: Feature) -> Feature:
    return jnp.maximum(*split_rows(jnp.maximum(*split_columns(x))))


def _max_pool2x2_forward(x: Feature) -> tuple[Feature, Feature]:
    return max_pool2x2(x), x


def _max_pool2x2_backward(x: Feature, g: Feature) -> tuple[Feature]:
    # Equal values: the upper row, then the left column gets all of g, as in select-and-scatter.
    left, right = split_columns(x)
    upper, lower = split_rows(jnp.maximum(left, right))
    g = join_rows(*_route(upper >= lower, g))
    return (join_columns(*_route(left >= right, g)),)


def _route(first: Array, g: Array) -> tuple[Array, Array]:
    zero = jnp.zeros_like(g)
    return jnp.where(first, g, zero), jnp.where(first, zero, g)


max_pool2x2.defvjp(_max_pool2x2_forward, _max_pool2x2_backward)


@jax.custom_vjp
def upsample2x(x: Feature) -> Feature:
    y = x.astype(jnp.float32)
    y = join_rows(*_interpolate(y, 2))
    y = join_columns(*_interpolate(y, 3))
    return y.astype(x.dtype)


def _upsample2x_forward(x: Feature) -> tuple[Feature, None]:
    return upsample2x(x), None


def _upsample2x_backward(_: None, g: Feature) -> tuple[Feature]:
    d = g.astype(jnp.float32)
    d = _interpolate_transposed(*split_columns(d), 3)
    d = _interpolate_transposed(*split_rows(d), 2)
    return (d.astype(g.dtype),)


upsample2x.defvjp(_upsample2x_forward, _upsample2x_backward)


def _interpolate(x: Array, axis: int) -> tuple[Array, Array]:
    """The even and the odd fine pixels along an axis.

    A fine pixel's centre is a quarter of a coarse pixel away from that of the coarse pixel it
    lies in, and three quarters from the next one's. At the border its own counts for both.
    """
    return 0.75 * x + 0.25 * _previous(x, axis, x), 0.75 * x + 0.25 * _next(x, axis, x)


def _interpolate_transposed(even: Array, odd: Array, axis: int) -> Array:
    return 0.75 * (even + odd) + 0.25 * (_previous(odd, axis, even) + _next(even, axis, odd))


def _previous(x: Array, axis: int, border: Array) -> Array:
    """Moves x one place up along an axis; the first place is taken from `border`."""
    first = lax.slice_in_dim(border, 0, 1, axis=axis)
    return lax.concatenate([first, lax.slice_in_dim(x, 0, -1, axis=axis)], axis)


def _next(x: Array, axis: int, border: Array) -> Array:
    """Moves x one place down along an axis; the last place is taken from `border`."""
    last = lax.slice_in_dim(border, -1, None, axis=axis)
    return lax.concatenate([lax.slice_in_dim(x, 1, None, axis=axis), last], axis)
