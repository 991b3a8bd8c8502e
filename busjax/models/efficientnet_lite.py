"""EfficientNet-Lite as an encoder: features at strides 1, 2, 4, 8, 16 and 32.

EfficientNet (Tan and Le 2019, arXiv:1905.11946) without squeeze-and-excitation, with ReLU6 and with
stem and head of one size in all variants: the published TensorFlow models 'EfficientNet-Lite'.
"""

from __future__ import annotations

import dataclasses
import math

import flax.linen as nn
import jax.numpy as jnp

from busjax.config import Model
from busjax.models.blocks import BlockSpec, Conv, ConvBlock, Convolve, NormAct, scaled
from busjax.ops.interface import Array, Dtype, Feature

STRIDES = (1, 2, 4, 8, 16, 32)

_EPSILON = 1e-3  # of the batch norms
_STEM = 32  # channels
_he_normal = nn.initializers.he_normal()
# Every channel of a depthwise convolution sees one channel: its fan-in is k^2.
_depthwise_normal = nn.initializers.variance_scaling(
    2.0, "fan_in", "truncated_normal", in_axis=(0, 1), out_axis=3, batch_axis=2
)


@dataclasses.dataclass(frozen=True)
class Stage:
    """Blocks of one shape; the first has the stride."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


# Lite0: a stage a line, as in table 1 of the paper.
_STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)

# Factors of width and depth.
VARIANTS = {
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite1": (1.0, 1.1),
    "efficientnet_lite2": (1.1, 1.2),
}


def stages(variant: str) -> tuple[Stage, ...]:
    """The stages of a variant; the first and the last keep their number of blocks."""
    width, depth = VARIANTS[variant]
    scaled = []
    for index, stage in enumerate(_STAGES):
        ends = index in (0, len(_STAGES) - 1)
        repeats = stage.repeats if ends else math.ceil(depth * stage.repeats)
        scaled.append(
            dataclasses.replace(stage, repeats=repeats, channels=_rounded(width * stage.channels))
        )
    return tuple(scaled)


def _rounded(channels: float) -> int:
    """The nearest multiple of 8, never less than nine tenths."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


class EfficientNetLite(nn.Module):
    """An image becomes six features, fine to coarse.

    The finest, of the size of the image, comes from two 3x3 convolutions of its own: without it the
    outline suffers. Norms are batch norms, whatever `spec.norm` says, as the published weights are.

    Attributes:
        variant: a key of `VARIANTS`.
        width: channels of the finest feature.
        dtype: of the features.
        frozen_norms: the published statistics of the norms are used, and kept, in training too.
    """

    spec: BlockSpec = dataclasses.field(default_factory=BlockSpec)
    variant: str = "efficientnet_lite0"
    width: int = Model.width
    dtype: Dtype = jnp.float32
    frozen_norms: bool = False

    @property
    def halvings(self) -> int:
        """Times that it halves the image."""
        return len(STRIDES) - 1

    @nn.compact
    def __call__(self, image: Array, train: bool = False) -> list[Feature]:
        """Maps (B, H, W, C) float32 in [0, 1], H and W divisible by 32, to features."""
        finest = self.spec.ops.load(image - 0.5, self.dtype)
        features = [ConvBlock(self.spec, self.width, name="finest")(finest, train=train)]
        train = train and not self.frozen_norms
        # The scale of the published weights, (x - 127) / 128 for x in [0, 255].
        scaled = (image * 255.0 - 127.0) / 128.0
        x = Stem(self.spec, self.dtype, name="stem")(scaled, train)
        wanted = stages(self.variant)
        for index, stage in enumerate(wanted):
            for block in range(stage.repeats):
                stride = stage.stride if block == 0 else 1
                x = Block(self.spec, stage, stride, name=f"stage_{index}_{block}")(x, train)
            if index + 1 == len(wanted) or wanted[index + 1].stride == 2:
                features.append(x)
        return features


class Stem(nn.Module):
    """3x3 convolution with stride 2, TensorFlow's 'SAME', then norm and ReLU6."""

    spec: BlockSpec
    dtype: Dtype

    @nn.compact
    def __call__(self, image: Array, train: bool) -> Feature:
        _, h, w, c = image.shape
        kernel = self.param("kernel", _he_normal, (3, 3, c, _STEM))
        # As a product of the pixels around every second one: no operation with a stride is needed.
        padded = jnp.pad(image, ((0, 0), (0, 1), (0, 1), (0, 0)))
        taps = [padded[:, i : i + h : 2, j : j + w : 2] for i in range(3) for j in range(3)]
        x = self.spec.ops.load(jnp.concatenate(taps, -1), self.dtype)

        def convolve(scale: Array | None) -> Feature:
            weights = scaled(kernel.reshape(1, 1, 9 * c, _STEM), scale)
            return self.spec.ops.conv1x1((x,), weights)

        return NormReLU6(self.spec, name="norm")(convolve, _STEM, train)


class Block(nn.Module):
    """Inverted bottleneck (Sandler 2018, arXiv:1801.04381): expand, depthwise, project, add."""

    spec: BlockSpec
    stage: Stage
    stride: int

    @nn.compact
    def __call__(self, x: Feature, train: bool) -> Feature:
        ops, stage = self.spec.ops, self.stage
        before, channels = x, ops.shape(x)[-1]
        hidden = channels * stage.expansion
        if stage.expansion != 1:
            expand = Conv(ops, hidden, size=1, name="expand").of(x)
            x = NormReLU6(self.spec, name="expand_norm")(expand, hidden, train)
        x = NormReLU6(self.spec, name="norm")(self._depthwise(x, hidden), hidden, train)
        project = Conv(ops, stage.channels, size=1, name="project").of(x)
        norm = NormAct(_batch_norm(self.spec, slope=1.0), _EPSILON, name="project_norm")
        x = norm(project, stage.channels, train)
        return x + before if self.stride == 1 and channels == stage.channels else x

    def _depthwise(self, x: Feature, channels: int) -> Convolve:
        shape = (self.stage.kernel, self.stage.kernel, 1, channels)
        kernel = self.param("kernel", _depthwise_normal, shape)
        ops, stride = self.spec.ops, self.stride
        return lambda scale: ops.depthwise_conv(x, scaled(kernel, scale), stride)


class NormReLU6(nn.Module):
    """Batch norm, then min(max(x, 0), 6)."""

    spec: BlockSpec

    @nn.compact
    def __call__(self, convolve: Convolve, channels: int, train: bool) -> Feature:
        spec = _batch_norm(self.spec, slope=0.0)
        return jnp.minimum(NormAct(spec, _EPSILON, name="norm")(convolve, channels, train), 6.0)


def _batch_norm(spec: BlockSpec, slope: float) -> BlockSpec:
    return dataclasses.replace(spec, norm="batch", activation_slope=slope)
