"""The nested decoder of U-Net++: nodes X[i,j], deep supervision, pruning."""

from __future__ import annotations

import dataclasses

import flax.linen as nn

from busjax.models.blocks import BlockSpec, ConvBlock, Up
from busjax.ops.interface import Feature


class UNetPlusPlusDecoder(nn.Module):
    """`X[i,j] = H([X[i,0], ..., X[i,j-1], U(X[i+1,j-1])])` (Zhou 2020, arXiv:1912.05074, eq. 1).

    `X[i,0]` are the encoder's features, level i from fine to coarse, j the column of the node.

    Attributes:
        prune: with `train=False`, only the nodes that X[0,prune] needs are computed (and X[d-1,1],
            which the classifier reads); 0: all. Training and `init` compute all of them.

    Returns:
        The features X[0,j], the one that the mask is taken from first, then the shallower ones;
        and X[d-1,1], the first decoded feature of the size of the last encoder stage.
    """

    spec: BlockSpec = dataclasses.field(default_factory=BlockSpec)
    prune: int = 0

    @nn.compact
    def __call__(
        self, features: list[Feature], train: bool = False
    ) -> tuple[tuple[Feature, ...], Feature]:
        depth = len(features) - 1
        whole = train or self.prune == 0 or self.is_initializing()
        columns = depth if whole else self.prune
        x = [[feature] for feature in features]
        for j in range(1, columns + 1):
            # A node needs its lower left neighbour: with `columns` columns, i + j <= columns.
            for i in range(columns + 1 - j):
                x[i].append(self._node(x, i, j, train))
        if columns < depth:
            x[depth - 1].append(self._node(x, depth - 1, 1, train))
        return tuple(reversed(x[0][1:])), x[depth - 1][1]

    def _node(self, x: list[list[Feature]], i: int, j: int, train: bool) -> Feature:
        channels = self.spec.ops.shape(x[i][0])[-1]
        up = Up(self.spec, channels, name=f"up_{i}_{j}")(x[i + 1][j - 1])
        return ConvBlock(self.spec, channels, name=f"x_{i}_{j}")(*x[i][:j], up, train=train)
