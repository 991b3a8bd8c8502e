"""How a feature lies in memory, (C, B, H, W), and how XLA:CPU moves and sums it cheaply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from busjax.ops.interface import Array, Dtype, Feature

# Parts of an image that are summed side by side: 8 took half the time of 32, a third of 128.
_STRIPS = 8


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


def map_images(
    function: Callable[..., tuple[Any, Any]],
    features: Sequence[Feature],
    image_bytes: int,
    most_bytes: int,
) -> tuple[Any, Any]:
    """Applies a function to as many images at a time as need `most_bytes` together.

    The function takes the features' parts and returns features, which are joined again, and
    totals, which are added up. `image_bytes`: what it needs for one image. No derivative.
    """
    b = features[0].shape[1]
    fits = max(1, most_bytes // image_bytes)
    images = max(n for n in range(1, b + 1) if b % n == 0 and n <= fits)
    if images == b:
        return function(*features)

    bits = [as_bits(x) for x in features]

    def step(i: Array, carry: tuple[Any, Any]) -> tuple[Any, Any]:
        def put(y: Array, part: Array) -> Array:
            # The barrier: what is computed while it is put in place is computed on one core.
            part = lax.optimization_barrier(as_bits(part))
            return lax.dynamic_update_slice_in_dim(y, part, i * images, 1)

        done, totals = carry
        parts = (from_bits(lax.dynamic_slice_in_dim(x, i * images, images, 1)) for x in bits)
        new, addends = function(*parts)
        return jax.tree.map(put, done, new), jax.tree.map(jnp.add, totals, addends)

    new, addends = jax.eval_shape(function, *(x[:, :images] for x in features))
    empty = jax.tree.map(lambda v: as_bits(lax.empty((v.shape[0], b, *v.shape[2:]), v.dtype)), new)
    zeros = jax.tree.map(lambda v: jnp.zeros(v.shape, v.dtype), addends)
    done, totals = lax.fori_loop(0, b // images, step, (empty, zeros))
    return jax.tree.map(from_bits, done), totals


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
    """Sums (C, B, H, W) over space, in float32: (C, B)."""
    return x.astype(jnp.float32).sum((2, 3))


def sum_space_of(xs: Sequence[Array]) -> list[Array]:
    """Sums several (C, B, H, W) over space, in float32, in one pass over what they are made from.

    XLA:CPU vectorises a sum of several operands only along an axis that stays: hence the strips.
    """
    c, b, h, w = xs[0].shape
    strips = max(n for n in range(1, _STRIPS + 1) if h * w % n == 0)
    sums = [v.astype(jnp.float32).reshape(c, b, strips, -1) for v in xs]
    for _ in range(2):
        sums = lax.reduce(sums, [np.float32(0)] * len(sums), _add, (2,))
    return sums


def _add(xs: list[Array], ys: list[Array]) -> list[Array]:
    return [x + y for x, y in zip(xs, ys, strict=True)]
