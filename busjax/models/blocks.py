"""The blocks of which encoder and decoders are built: convolution, norm, dropout, down, up."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from busjax.config import Model
from busjax.ops import select
from busjax.ops.interface import Array, Feature, Ops

_he_normal = nn.initializers.he_normal()
# Every output pixel of a 2x2 stride-2 transposed convolution sees C inputs, not 4 C.
_transpose_normal = nn.initializers.variance_scaling(
    1.0, "fan_in", "truncated_normal", batch_axis=(0, 1)
)


@dataclasses.dataclass(frozen=True)
class BlockSpec:
    """What all blocks of one network have in common; defaults and ranges are those of `Model`.

    Attributes:
        ops: the operations that the blocks call; those that suit this machine by default.
        norm: 'batch', 'group' or 'instance'.
        norm_groups: of the group norm.
        batch_norm_momentum: of the running statistics of the batch norm.
        activation_slope: of the ReLU below zero.
        dropout: share of the channels that are dropped after each block.
        upsample: 'transposed' or 'bilinear'.
        axis_name: the mapped axis of the devices, over which batch norm averages and dropout is
            drawn; None outside a mapped step.
    """

    ops: Ops = dataclasses.field(default_factory=lambda: select(Model.ops))
    norm: str = Model.norm
    norm_groups: int = Model.norm_groups
    batch_norm_momentum: float = Model.batch_norm_momentum
    activation_slope: float = Model.activation_slope
    dropout: float = Model.dropout
    upsample: str = Model.upsample
    axis_name: str | None = None


Convolve = Callable[[Array | None], Feature]
"""A convolution that multiplies its output channels by (C,), or by nothing where given None."""


def scaled(kernel: Array, scale: Array | None) -> Array:
    """A kernel (..., O) times `scale` (O,)."""
    return kernel if scale is None else kernel * scale


class Conv(nn.Module):
    """3x3 ('same') or 1x1 convolution over one or several inputs, as if they were concatenated.

    Attributes:
        size: of the kernel, 3 or 1.
    """

    ops: Ops
    features: int
    size: int
    use_bias: bool = False

    @nn.compact
    def __call__(self, *xs: Feature, scale: Array | None = None) -> Feature:
        """Takes the inputs, and a factor (C,) of each output channel, before the bias."""
        channels = sum(self.ops.shape(x)[-1] for x in xs)
        kernel = self.param("kernel", _he_normal, (self.size, self.size, channels, self.features))
        convolve = {3: self.ops.conv3x3, 1: self.ops.conv1x1}[self.size]
        y = convolve(xs, scaled(kernel, scale))
        if not self.use_bias:
            return y
        return self.ops.add_bias(y, self.param("bias", nn.initializers.zeros, (self.features,)))

    def of(self, *xs: Feature) -> Convolve:
        """The convolution of these inputs, to be given to a norm."""
        return lambda scale: self(*xs, scale=scale)


class NormAct(nn.Module):
    """Batch, group or instance norm of a convolution, followed by a (leaky) ReLU.

    Batch norm (Ioffe 2015, arXiv:1502.03167) averages over the whole batch on all devices of
    `spec.axis_name`; group norm (Wu 2018, arXiv:1803.08494) and instance norm per image. A batch
    norm whose statistics are fixed is folded: its factor scales the kernel, a shift is left.
    """

    spec: BlockSpec
    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, convolve: Convolve, channels: int, train: bool) -> Feature:
        """Takes the convolution, and the number of its output channels."""
        ops, slope = self.spec.ops, self.spec.activation_slope
        scale = self.param("scale", nn.initializers.ones, (channels,))
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        if self.spec.norm != "batch":
            instance = self.spec.norm == "instance"
            groups = channels if instance else math.gcd(self.spec.norm_groups, channels)
            return ops.group_norm_act(convolve(None), scale, bias, groups, slope, self.epsilon)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, (channels,))
        running_variance = self.variable("batch_stats", "variance", jnp.ones, (channels,))
        if not train:
            factor = scale * jax.lax.rsqrt(running_variance.value + self.epsilon)
            shift = bias - running_mean.value * factor
            return ops.scale_shift_act(convolve(factor), jnp.ones_like(shift), shift, slope)
        x = convolve(None)
        mean, variance = self._batch_statistics(x, running_mean, running_variance)
        factor = scale * jax.lax.rsqrt(variance + self.epsilon)
        return ops.scale_shift_act(x, factor, bias - mean * factor, slope)

    def _batch_statistics(
        self, x: Feature, running_mean: nn.Variable, running_variance: nn.Variable
    ) -> tuple[Array, Array]:
        mean, mean_square = self.spec.ops.batch_moments(x)
        if self.is_initializing():
            return mean, mean_square - jnp.square(mean)
        if self.spec.axis_name is not None:
            # Moments, not variances, so that N devices give the statistics of the whole batch.
            mean, mean_square = jax.lax.pmean((mean, mean_square), self.spec.axis_name)
        variance = jnp.maximum(mean_square - jnp.square(mean), 0.0)
        momentum = self.spec.batch_norm_momentum
        running_mean.value += (1 - momentum) * (jax.lax.stop_gradient(mean) - running_mean.value)
        running_variance.value += (1 - momentum) * (
            jax.lax.stop_gradient(variance) - running_variance.value
        )
        return mean, variance


def kept(key: Array, rate: float, shape: tuple[int, int], axis_name: str | None) -> Array:
    """Which values of (B, C) dropout with probability `rate` leaves, as factors.

    They are drawn for the batch of all devices along `axis_name`, of which each takes those of its
    own images: what is dropped does not depend on the number of devices.
    """
    b, c = shape
    count = 1 if axis_name is None else jax.lax.axis_size(axis_name)
    factors = jax.random.bernoulli(key, 1.0 - rate, (count * b, c)) / (1.0 - rate)
    if axis_name is None:
        return factors
    return jax.lax.dynamic_slice_in_dim(factors, jax.lax.axis_index(axis_name) * b, b)


class Dropout(nn.Module):
    """Drops values of (B, C) with probability `rate` (Srivastava 2014, JMLR 15, 1929-1958)."""

    rate: float
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        if not train or self.rate == 0.0 or self.is_initializing():
            return x
        b, c = x.shape
        return x * kept(self.make_rng("dropout"), self.rate, (b, c), self.axis_name)


class ChannelDropout(nn.Module):
    """Drops whole channels of an image with probability `rate` (Tompson 2015, arXiv:1411.4280)."""

    ops: Ops
    rate: float
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Feature, train: bool) -> Feature:
        if not train or self.rate == 0.0 or self.is_initializing():
            return x
        b, _, _, c = self.ops.shape(x)
        factors = kept(self.make_rng("dropout"), self.rate, (b, c), self.axis_name)
        return self.ops.scale_channels(x, factors)


class ConvBlock(nn.Module):
    """Twice (3x3 convolution, norm, ReLU), then channel dropout: H(.) of U-Net and U-Net++.

    Takes one or several features of equal size; gives one of `features` channels.
    """

    spec: BlockSpec
    features: int

    @nn.compact
    def __call__(self, *xs: Feature, train: bool) -> Feature:
        conv = Conv(self.spec.ops, self.features, size=3, name="conv_0").of(*xs)
        x = NormAct(self.spec, name="norm_0")(conv, self.features, train)
        conv = Conv(self.spec.ops, self.features, size=3, name="conv_1").of(x)
        x = NormAct(self.spec, name="norm_1")(conv, self.features, train)
        return ChannelDropout(self.spec.ops, self.spec.dropout, self.spec.axis_name)(x, train)


class Up(nn.Module):
    """Doubles the size: a 2x2 transposed convolution, or bilinear after a 1x1 convolution.

    The 1x1 convolution comes first since both are linear and it costs a quarter there.
    """

    spec: BlockSpec
    features: int

    @nn.compact
    def __call__(self, x: Feature) -> Feature:
        ops = self.spec.ops
        if self.spec.upsample == "bilinear":
            return ops.upsample2x(Conv(ops, self.features, size=1, use_bias=True, name="conv")(x))
        channels = ops.shape(x)[-1]
        kernel = self.param("kernel", _transpose_normal, (2, 2, channels, self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return ops.add_bias(ops.conv_transpose2x2(x, kernel), bias)
