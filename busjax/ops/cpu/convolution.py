"""Convolutions as matrix products of (C, B, H, W) features, with gradients written out.

XLA:CPU takes several times as long for the gradient of a convolution with respect to its kernel
as for the convolution; products of matrices are fast in both directions if they contract a
kernel's minor axis with a feature's major one, or the minor axes of two features. Operands have
the dtype of the feature, sums are float32.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from busjax.ops.cpu.layout import as_bits, from_bits, join, map_images, split_channels
from busjax.ops.interface import Array, Feature

# What a convolution may touch at a time: for memory's sake alone.
_MOST_BYTES = 256 * 2**20

# And its gradient, which reads the same shifts twice: with 32 MiB of third-level cache 1 to 6 MiB
# are alike, 12 takes a tenth longer at 16 channels, all images at once half as long again.
_CACHE_BYTES = 6 * 2**20


@jax.custom_vjp
def conv3x3(xs: tuple[Feature, ...], kernel: Array) -> Feature:
    def convolve(*xs: Array) -> tuple[Array, None]:
        return _correlate(_column_shifts(xs), kernel).astype(dtype), None

    dtype = xs[0].dtype
    return map_images(convolve, xs, _working_set(xs, kernel), _MOST_BYTES)[0]


def _conv3x3_forward(
    xs: tuple[Feature, ...], kernel: Array
) -> tuple[Feature, tuple[tuple[Feature, ...], Array]]:
    return conv3x3(xs, kernel), (xs, kernel)


def _conv3x3_backward(
    residuals: tuple[tuple[Feature, ...], Array], g: Feature
) -> tuple[tuple[Feature, ...], Array]:
    xs, kernel = residuals
    c, o = kernel.shape[2:]
    # Flipped in space and with its channels exchanged, the kernel takes g back to x.
    flipped = kernel[::-1, ::-1].transpose(0, 1, 3, 2)

    def gradients(g: Array, *xs: Array) -> tuple[tuple[Array, ...], Array]:
        g_shifts = _column_shifts((g,))
        dx = _correlate(g_shifts, flipped).astype(g.dtype)
        dk = _product_transposed(_row_shifts(xs), g_shifts)
        return split_channels(dx, [x.shape[0] for x in xs]), dk

    dxs, dk = map_images(gradients, (g, *xs), _working_set(xs, kernel), _CACHE_BYTES)
    # Shift j of g stands one column before or after g: it meets the kernel's column 2 - j.
    dk = dk.reshape(3, c, 3, o)[:, :, ::-1].transpose(0, 2, 1, 3)
    return dxs, dk.astype(kernel.dtype)


conv3x3.defvjp(_conv3x3_forward, _conv3x3_backward)


def _working_set(xs: tuple[Feature, ...], kernel: Array) -> int:
    """Bytes that an image's shifts and products take."""
    c, o = kernel.shape[2:]
    return 3 * (c * xs[0].dtype.itemsize + o * 4) * xs[0][0, 0].size


def _column_shifts(xs: tuple[Feature, ...]) -> Array:
    """The inputs one column before, at and after every pixel: (3 sum C, B, H + 2, W).

    Outside the image, and in the additional first and last rows, there are zeros.
    """
    padded = [_pad_rows(x, 1) for x in xs]
    moved = [_move_columns(p, columns) for columns in (1, 0, -1) for p in padded]
    return join(moved, 0)


def _row_shifts(xs: tuple[Feature, ...]) -> Array:
    """The inputs one row before, at and after every pixel: (3 sum C, B, H + 2, W)."""
    h = xs[0].shape[2]
    padded = [_pad_rows(x, 2) for x in xs]
    moved = [p[:, :, i : i + h + 2] for i in range(3) for p in padded]
    return join(moved, 0)


def _pad_rows(x: Feature, rows: int) -> Array:
    # The barrier keeps the pad from being computed again for each of the three shifts.
    padded = jnp.pad(as_bits(x), ((0, 0), (0, 0), (rows, rows), (0, 0)))
    return lax.optimization_barrier(padded)


def _move_columns(x: Array, columns: int) -> Array:
    """Moves every row to the right (negative: to the left); zeros come in."""
    still = (0, 0, 0)
    return lax.pad(x, jnp.zeros((), x.dtype), (still, still, still, (columns, -columns, 0)))


def _correlate(shifts: Array, kernel: Array) -> Array:
    """Correlates `_column_shifts` with a kernel (3, 3, C, O): (O, B, H, W) float32.

    One product gives each kernel row's part for every row of the image; the parts of three rows
    that lie one below the other are then added up.
    """
    c, o = kernel.shape[2:]
    h = shifts.shape[2] - 2
    rows = kernel.transpose(0, 3, 1, 2).reshape(3 * o, 3 * c)
    parts = _product(rows, shifts).reshape(3, o, *shifts.shape[1:])
    return parts[0, :, :, :h] + parts[1, :, :, 1 : h + 1] + parts[2, :, :, 2:]


def conv1x1(xs: tuple[Feature, ...], kernel: Array) -> Feature:
    return _mix(xs, kernel[0, 0])


def conv_transpose2x2(x: Feature, kernel: Array) -> Feature:
    c, o = kernel.shape[2:]
    return _shuffle(_mix((x,), kernel.transpose(2, 0, 1, 3).reshape(c, 4 * o)))


@jax.custom_vjp
def _mix(xs: tuple[Feature, ...], weights: Array) -> Feature:
    """Mixes the channels of every pixel; weights (sum C, O)."""
    parts = split_channels(weights, [x.shape[0] for x in xs])
    y = sum(_product(part.T, x) for part, x in zip(parts, xs, strict=True))
    return jnp.asarray(y).reshape(-1, *xs[0].shape[1:]).astype(xs[0].dtype)


def _mix_forward(
    xs: tuple[Feature, ...], weights: Array
) -> tuple[Feature, tuple[tuple[Feature, ...], Array]]:
    return _mix(xs, weights), (xs, weights)


def _mix_backward(
    residuals: tuple[tuple[Feature, ...], Array], g: Feature
) -> tuple[tuple[Feature, ...], Array]:
    xs, weights = residuals
    parts = split_channels(weights, [x.shape[0] for x in xs])
    dxs = tuple(
        _product(part, g).reshape(x.shape).astype(x.dtype)
        for part, x in zip(parts, xs, strict=True)
    )
    dw = jnp.concatenate([_product_transposed(x, g) for x in xs])
    return dxs, dw.astype(weights.dtype)


_mix.defvjp(_mix_forward, _mix_backward)


@jax.custom_vjp
def _shuffle(x: Feature) -> Feature:
    """Channels (row, column, O) of a pixel become its 2x2 pixels: (O, B, 2 H, 2 W)."""
    c, b, h, w = x.shape
    y = as_bits(x).reshape(2, 2, c // 4, b, h, w).transpose(2, 3, 4, 0, 5, 1)
    return from_bits(y).reshape(c // 4, b, 2 * h, 2 * w)


def _shuffle_forward(x: Feature) -> tuple[Feature, None]:
    return _shuffle(x), None


def _shuffle_backward(_: None, g: Feature) -> tuple[Feature]:
    o, b, h, w = g.shape
    dx = as_bits(g).reshape(o, b, h // 2, 2, w // 2, 2).transpose(3, 5, 0, 1, 2, 4)
    return (from_bits(dx).reshape(4 * o, b, h // 2, w // 2),)


_shuffle.defvjp(_shuffle_forward, _shuffle_backward)


def _product(weights: Array, x: Array) -> Array:
    """weights (O, C) times x (C, ...): (O, pixels) float32."""
    return lax.dot_general(
        weights.astype(x.dtype),
        x.reshape(x.shape[0], -1),
        (((1,), (0,)), ((), ())),
        preferred_element_type=jnp.float32,
    )


def _product_transposed(x: Array, g: Array) -> Array:
    """x (C, ...) times the transpose of g (O, ...): (C, O) float32, summed over all pixels."""
    return lax.dot_general(
        x.reshape(x.shape[0], -1),
        g.reshape(g.shape[0], -1),
        (((1,), (1,)), ((), ())),
        preferred_element_type=jnp.float32,
    )
