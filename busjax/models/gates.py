"""Gates on the skips of the gated U-Net: ACSNet's gate unit and the attention gate."""

from __future__ import annotations

import flax.linen as nn
import jax

from busjax.models.blocks import BlockSpec, Conv, NormAct
from busjax.ops.interface import Feature


class GateUnit(nn.Module):
    """How much of this level passes: one pair of scalars in [0, 1] per image and level.

    `s = sigmoid(conv3x3(relu(norm(conv3x3(x, C/8))), 2))`, `a` the mean over space of s_0, `m` the
    largest of s_1, `out = relu(norm(conv3x3(a x + m x, C)))` (ACSNet, Computers in Biology and
    Medicine 2024). The coarser feature is not used. Sows `a` and `m`, (B, 1), as intermediates.
    """

    spec: BlockSpec

    @nn.compact
    def __call__(self, x: Feature, coarser: Feature, train: bool) -> Feature:
        ops = self.spec.ops
        channels = ops.shape(x)[-1]
        squeezed = max(channels // 8, 1)
        squeeze = Conv(ops, squeezed, size=3, name="squeeze").of(x)
        hidden = NormAct(self.spec, name="squeeze_norm")(squeeze, squeezed, train)
        s = jax.nn.sigmoid(Conv(ops, 2, size=3, use_bias=True, name="score")(hidden))
        a, m = ops.spatial_mean(s)[:, :1], ops.spatial_max(s)[:, 1:]
        self.sow("intermediates", "a", a)
        self.sow("intermediates", "m", m)
        conv = Conv(ops, channels, size=3, name="conv").of(ops.scale_channels(x, a + m))
        return NormAct(self.spec, name="norm")(conv, channels, train)


class AttentionGate(nn.Module):
    """Which pixels of this level pass: `alpha x`, alpha in [0, 1] per pixel.

    `alpha = sigmoid(psi(relu(W_x x + W_g g + b)))` with `g` the coarser decoder feature
    (Oktay 2018, arXiv:1804.03999, eq. 1-2). Deviation: `W_g g` is brought to the size of x, so
    that alpha is drawn at full resolution; the paper brings `W_x x` down and alpha up.
    Sows `alpha`, a feature of one channel, as an intermediate.
    """

    spec: BlockSpec

    @nn.compact
    def __call__(self, x: Feature, coarser: Feature, train: bool) -> Feature:
        ops = self.spec.ops
        hidden = max(ops.shape(x)[-1] // 2, 1)
        from_x = Conv(ops, hidden, size=1, use_bias=True, name="w_x")(x)
        from_g = ops.upsample2x(Conv(ops, hidden, size=1, name="w_g")(coarser))
        q = Conv(ops, 1, size=1, use_bias=True, name="psi")(jax.nn.relu(from_x + from_g))
        alpha = jax.nn.sigmoid(q)
        self.sow("intermediates", "alpha", alpha)
        return ops.scale_pixels(x, alpha)


GATES = {"unit": GateUnit, "attention": AttentionGate}
