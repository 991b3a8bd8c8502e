"""How a feature lies in memory, (C, B, H, W), and how XLA:CPU moves and sums it cheaply."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from busjax.ops.interface import Array, Dtype, Feature

# XLA:CPU rewrites a sum over more elements than this as slow windowed sums.
_LONGEST_SUM = 32


def load(image: Array, dtype: Dtype) -> Feature:
    return image.transpose(3, 0, 1, 2).astype(dtype)


def unload(x: Feature) -> Array:
    return x.transpose(1, 2, 3, 0).astype(jnp.float32)


def shape(x: Feature) -> tuple[int, int, int, int]:
    c, b, h, w = x.shape
    return b, h, w, c


@jax.custom_vjp
def concatenate(xs: tuple[Feature, ...]) -> Feature:
    return xs[0] if len(xs) == 1 else join(xs, 0)


def _concatenate_forward(xs: tuple[Feature, ...]) -> tuple[Feature, tuple[int, ...]]:
    return concatenate(xs), tuple(x.shape[0] for x in xs)


def _concatenate_backward(channels: tuple[int, ...], g: Feature) -> tuple[tuple[Feature, ...]]:
    return (split_channels(g, channels),)


concatenate.defvjp(_concatenate_forward, _concatenate_backward)


def split_channels(x: Array, channels: Sequence[int]) -> tuple[Array, ...]:
    """Cuts the first axis into parts of so many channels."""
    ends = [sum(channels[: i + 1]) for i in range(len(channels))]
    return tuple(x[end - c : end] for c, end in zip(channels, ends, strict=True))


def as_bits(x: Array) -> Array:
    """Views bfloat16 as uint16: XLA:CPU would widen a copy of bfloat16 to float32 and back."""
    return lax.bitcast_convert_type(x, jnp.uint16) if x.dtype == jnp.bfloat16 else x


def from_bits(x: Array) -> Array:
    """Undoes `as_bits`."""
    return lax.bitcast_convert_type(x, jnp.bfloat16) if x.dtype == jnp.uint16 else x


def join(xs: Sequence[Array], axis: int) -> Array:
    """Concatenates without a derivative."""
    return from_bits(jnp.concatenate([as_bits(x) for x in xs], axis))


def split_rows(x: Array) -> tuple[Array, Array]:
    """Even and odd rows, without a derivative."""
    c, b, h, w = x.shape
    y = as_bits(x).reshape(c, b, h // 2, 2, w)
    return from_bits(y[:, :, :, 0]), from_bits(y[:, :, :, 1])


def join_rows(even: Array, odd: Array) -> Array:
    """Undoes `split_rows`."""
    c, b, h, w = even.shape
    return from_bits(jnp.stack([as_bits(even), as_bits(odd)], 3)).reshape(c, b, 2 * h, w)


def split_columns(x: Array) -> tuple[Array, Array]:
    """Even and odd columns, without a derivative."""
    c, b, h, w = x.shape
    y = as_bits(x).reshape(c, b, h, w // 2, 2)
    return from_bits(y[..., 0]), from_bits(y[..., 1])


def join_columns(even: Array, odd: Array) -> Array:
    """Undoes `split_columns`."""
    c, b, h, w = even.shape
    return from_bits(jnp.stack([as_bits(even), as_bits(odd)], 4)).reshape(c, b, h, 2 * w)


def per_channel(v: Array) -> Array:
    """Brings (C,) or (C, B) to the rank of a feature."""
    return v.reshape(v.shape + (1,) * (4 - v.ndim))


def sum_space(x: Array) -> Array:
    """Sums (C, B, H, W) over space, in float32: (C, B).

    Sums are taken in short chunks whose neighbours in memory are summed side by side. Without the
    barriers XLA would put the chunks together again.
    """
    x = x.astype(jnp.float32).reshape(*x.shape[:2], -1)
    while (n := x.shape[2]) > _LONGEST_SUM:
        chunk = max(d for d in range(1, _LONGEST_SUM + 1) if n % d == 0)
        if chunk == 1:
            break
        x = lax.optimization_barrier(x.reshape(*x.shape[:2], chunk, n // chunk).sum(2))
    return x.sum(2)
