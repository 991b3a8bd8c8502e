"""The U-Net decoder, with gates on its skips where asked for."""

from __future__ import annotations

import dataclasses

import flax.linen as nn

from busjax.models.blocks import BlockSpec, ConvBlock, Up
from busjax.models.gates import GATES
from busjax.ops.interface import Feature


class UNetDecoder(nn.Module):
    """The expanding path of the U-Net (Ronneberger 2015, arXiv:1505.04597).

    At every level the coarser feature is up-sampled and joined by the encoder's feature: as it
    is, or through a gate of `busjax.models.gates.GATES`. Deviation: 'same' instead of valid
    convolutions, as in all later work.

    Returns:
        The finest feature in a tuple of one, and the first feature that was decoded, which has
        the size of the last encoder stage before the bottleneck (for the classifier).
    """

    spec: BlockSpec = dataclasses.field(default_factory=BlockSpec)
    gate: str | None = None

    @nn.compact
    def __call__(
        self, features: list[Feature], train: bool = False
    ) -> tuple[tuple[Feature, ...], Feature]:
        *skips, x = features
        decoded = []
        for level, skip in reversed(list(enumerate(skips))):
            channels = self.spec.ops.shape(skip)[-1]
            if self.gate is not None:
                skip = GATES[self.gate](self.spec, name=f"gate_{level}")(skip, x, train)
            x = Up(self.spec, channels, name=f"up_{level}")(x)
            x = ConvBlock(self.spec, channels, name=f"level_{level}")(skip, x, train=train)
            decoded.append(x)
        return (decoded[-1],), decoded[0]
