"""Depthwise convolution as sums of shifted images, with gradients written out.

XLA:CPU convolves every channel for itself in a plain loop, and takes several times as long for the
gradients; a sum of k^2 shifted images, each times a number a channel, is one vectorised pass.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from busjax.ops.cpu.layout import as_bits, from_bits, per_channel, sum_space_of
from busjax.ops.interface import Array, Feature


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def depthwise_conv(x: Feature, kernel: Array, stride: int = 1) -> Feature:
    size = kernel.shape[0]
    taps = _taps(x, size, stride)
    y = sum(_weight(kernel, i, j) * taps[i][j] for i in range(size) for j in range(size))
    return jnp.asarray(y).astype(x.dtype)


def _depthwise_conv_forward(
    x: Feature, kernel: Array, stride: int
) -> tuple[Feature, tuple[Feature, Array]]:
    return depthwise_conv(x, kernel, stride), (x, kernel)


def _depthwise_conv_backward(
    stride: int, residuals: tuple[Feature, Array], g: Feature
) -> tuple[Feature, Array]:
    x, kernel = residuals
    size = kernel.shape[0]
    # One pass a row of the kernel: a sum of all k^2 products at a time runs out of registers.
    d = g.astype(jnp.float32)
    rows = [sum_space_of([tap * d for tap in row]) for row in _taps(x, size, stride)]
    dk = jnp.stack([jnp.stack([total.sum(1) for total in row]) for row in rows])
    return _input_gradient(x, kernel, stride, g), dk[:, :, None].astype(kernel.dtype)


depthwise_conv.defvjp(_depthwise_conv_forward, _depthwise_conv_backward)


def _padding(length: int, size: int, stride: int) -> tuple[int, int]:
    """Zeros before and after, as 'SAME' has them: with stride 2 the odd one comes after."""
    total = max((-(-length // stride) - 1) * stride + size - length, 0)
    return total // 2, total - total // 2


def _taps(x: Feature, size: int, stride: int) -> list[list[Array]]:
    """For every row and column of the kernel the pixels that it meets: (C, B, H', W') float32."""
    heights, widths = (_padding(n, size, stride) for n in x.shape[2:])
    h, w = (-(-n // stride) for n in x.shape[2:])
    padded = lax.optimization_barrier(jnp.pad(as_bits(x), ((0, 0), (0, 0), heights, widths)))
    parts = [
        [lax.optimization_barrier(padded[:, :, p::stride, q::stride]) for q in range(stride)]
        for p in range(stride)
    ]

    def tap(i: int, j: int) -> Array:
        (row, p), (column, q) = divmod(i, stride), divmod(j, stride)
        part = parts[p][q][:, :, row : row + h, column : column + w]
        return from_bits(part).astype(jnp.float32)

    return [[tap(i, j) for j in range(size)] for i in range(size)]


def _input_gradient(x: Feature, kernel: Array, stride: int, g: Feature) -> Feature:
    """Every pixel gets what its taps gave on: one sum for each phase of the stride."""
    size, (h, w) = kernel.shape[0], x.shape[2:]
    # Along an axis the padded x has `stride` phases, each as long as g and the reach of its taps.
    reach = (size - 1) // stride
    still = (0, 0)
    around = lax.optimization_barrier(
        jnp.pad(as_bits(g), (still, still, (reach, reach), (reach, reach)))
    )
    rows, columns = (n + reach for n in g.shape[2:])

    def phase(p: int, q: int) -> Array:
        def moved(i: int, j: int) -> Array:
            above, before = reach - i // stride, reach - j // stride
            part = around[:, :, above : above + rows, before : before + columns]
            return _weight(kernel, i, j) * from_bits(part).astype(jnp.float32)

        taps = [(i, j) for i in range(p, size, stride) for j in range(q, size, stride)]
        return jnp.asarray(sum(moved(i, j) for i, j in taps)).astype(x.dtype)

    phases = [[phase(p, q) for q in range(stride)] for p in range(stride)]
    c, b = x.shape[:2]
    padded = jnp.stack([jnp.stack([as_bits(v) for v in row], 4) for row in phases], 3)
    padded = padded.reshape(c, b, stride * rows, stride * columns)
    (top, _), (left, _) = (_padding(n, size, stride) for n in (h, w))
    return from_bits(padded[:, :, top : top + h, left : left + w])


def _weight(kernel: Array, i: int, j: int) -> Array:
    return per_channel(kernel[i, j, 0].astype(jnp.float32))
