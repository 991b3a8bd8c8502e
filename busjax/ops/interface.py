"""The few operations that the models are made of: parameters come in, arrays go out.

A *feature* is an opaque array: which axis means what is the implementation's business, and only
`load` and `unload` cross the border. Elementwise functions (relu, sigmoid, +) apply to features
of equal shape directly. Every operation computes in the dtype of its feature; statistics and
reductions are float32. Kernels are float32 and have the same shape and meaning everywhere, so
that a checkpoint moves between the implementations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import jax

Array = jax.Array
Feature = jax.Array
Dtype = Any
Tree = TypeVar("Tree")


class Ops(Protocol):
    """What an implementation (`ops/reference.py`, `ops/cpu.py`) offers."""

    def map_batch(self, function: Callable[[Array], Tree], image: Array, dtype: Dtype) -> Tree:
        """Applies a function to images (B, H, W, C), to as many at a time as are fast.

        The function treats every image for itself, computes in `dtype` and returns arrays (B, ...).
        """

    def load(self, image: Array, dtype: Dtype) -> Feature:
        """Takes an image (B, H, W, C) in."""

    def unload(self, x: Feature) -> Array:
        """Gives a feature out as (B, H, W, C) float32."""

    def shape(self, x: Feature) -> tuple[int, int, int, int]:
        """Batch, height, width and channels of a feature."""

    def conv3x3(self, xs: tuple[Feature, ...], kernel: Array) -> Feature:
        """3x3 'same' convolution of the inputs as if concatenated; kernel (3, 3, sum C, O)."""

    def conv1x1(self, xs: tuple[Feature, ...], kernel: Array) -> Feature:
        """1x1 convolution of the inputs as if concatenated; kernel (1, 1, sum C, O)."""

    def conv_transpose2x2(self, x: Feature, kernel: Array) -> Feature:
        """2x2 stride-2 transposed convolution: y[2i+a, 2j+b] = x[i, j] @ kernel[a, b]."""

    def depthwise_conv(self, x: Feature, kernel: Array, stride: int = 1) -> Feature:
        """k x k convolution of every channel for itself; kernel (k, k, 1, C), k odd, stride 1 or 2.

        Zeros around the image as in XLA's and TensorFlow's 'SAME': with stride 2 and an even size
        there is one more after the last pixel than before the first.
        """

    def add_bias(self, x: Feature, bias: Array) -> Feature:
        """Adds bias (C,) to every pixel."""

    def max_pool2x2(self, x: Feature) -> Feature:
        """Largest of every 2x2 window, stride 2; even sizes only."""

    def upsample2x(self, x: Feature) -> Feature:
        """Bilinear up-sampling by 2, half-pixel centres (as jax.image.resize)."""

    def group_norm_act(
        self, x: Feature, scale: Array, bias: Array, groups: int, slope: float, epsilon: float
    ) -> Feature:
        """Group norm per image (scale, bias (C,)), then a leaky ReLU; slope 0: ReLU, 1: none."""

    def batch_moments(self, x: Feature) -> tuple[Array, Array]:
        """Mean and mean square of every channel over batch and space: two (C,) float32."""

    def scale_shift_act(self, x: Feature, scale: Array, shift: Array, slope: float) -> Feature:
        """x * scale + shift per channel ((C,) each), then a leaky ReLU; slope 0: ReLU, 1: none."""

    def concatenate(self, xs: tuple[Feature, ...]) -> Feature:
        """Concatenation over channels."""

    def spatial_mean(self, x: Feature) -> Array:
        """Mean over space: (B, C) float32."""

    def spatial_max(self, x: Feature) -> Array:
        """Largest value over space: (B, C) float32; the first of equals has the gradient."""

    def scale_channels(self, x: Feature, factor: Array) -> Feature:
        """Multiplies every image's channels by factor (B, C), or by (B, 1) as a whole."""

    def scale_pixels(self, x: Feature, factor: Feature) -> Feature:
        """Multiplies every pixel by a feature of one channel."""
