"""The optimiser and its schedule."""

from __future__ import annotations

from typing import ClassVar

from busjax.config.rules import NOT_NEGATIVE, POSITIVE, SHARE, Real, Whole
from busjax.config.section import Section, setting


class Optim(Section):
    PLACE: ClassVar[str] = "optim."

    learning_rate: float = setting(Real(0, open_low=True), "at its peak", default=2e-3)
    final_fraction: float = setting(
        Real(0, 1), "of the peak, at the end of the cosine", default=0.01
    )
    warmup_fraction: float = setting(Real(0, 1), "of all steps, linear from 0", default=0.05)
    weight_decay: float = setting(NOT_NEGATIVE, "AdamW, on kernels only", default=1e-4)
    clip_norm: float = setting(
        NOT_NEGATIVE, "largest global norm of the gradient; 0: no clipping", default=1.0
    )
    ema_decay: float = setting(
        SHARE, "moving average of the weights, used for evaluation; 0: none", default=0.99
    )
    encoder_rate: float = setting(
        Real(0, 100), "learning rate of the encoder, as a factor", default=1.0
    )
    encoder_frozen_epochs: int = setting(
        Whole(0), "epochs at the start in which the encoder stays as it is", default=0
    )
    micro_batches: int = setting(
        POSITIVE, "parts of a batch whose gradients are added up, one after the other", default=1
    )
