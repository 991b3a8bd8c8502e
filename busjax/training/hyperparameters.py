"""The numbers of a run that its steps take as inputs, so that one compiled step serves them all.

Seeds, rates, lengths and weights change no shape: the folds of a cross-validation, the members of
an ensemble and a search over rates share what was compiled for the first of them.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import flax.struct
import numpy as np

from busjax.config import Config, Model
from busjax.training.losses import LossWeights


@flax.struct.dataclass
class Hyperparameters:
    """What a step is given besides state and batch; scalars, the same on every device.

    Attributes:
        seed: () uint32, of dropout.
        total_steps: () float32, of the run.
        warmup_steps: () float32, of linear warm-up, fewer than `total_steps`.
        frozen_steps: () float32, in which the encoder stays as it is.
        learning_rate: () float32, at its peak.
        final_fraction: () float32, of the peak, at the end.
        encoder_rate: () float32, factor of the encoder's learning rate.
        weight_decay: () float32.
        clip_norm: () float32, largest norm of the gradient.
        ema_decay: () float32, of the moving average.
        loss: its weights.
    """

    seed: Any
    total_steps: Any
    warmup_steps: Any
    frozen_steps: Any
    learning_rate: Any
    final_fraction: Any
    encoder_rate: Any
    weight_decay: Any
    clip_norm: Any
    ema_decay: Any
    loss: LossWeights


@dataclasses.dataclass(frozen=True)
class Form:
    """What a compiled step is made for, besides the shapes of its inputs.

    Attributes:
        model: `config.model`.
        classifier, focal_gamma, label_smoothing: of `config.loss`.
        learns_weights: whether the weights of the losses are learnt.
        micro_batches: of `config.optim`.
        clips, averages: whether the gradient is clipped, and weights are averaged.
        treats_encoder: whether the encoder has a rate, or frozen steps, of its own.
        flips: of `config.inference`.
        pads: whether batches say which pixels are the image.
    """

    model: Model
    classifier: str
    focal_gamma: float
    label_smoothing: float
    learns_weights: bool
    micro_batches: int
    clips: bool
    averages: bool
    treats_encoder: bool
    flips: str
    pads: bool


def form_of(config: Config) -> Form:
    """What the steps of a configuration are compiled for."""
    loss, optim = config.loss, config.optim
    return Form(
        model=config.model,
        classifier=loss.classifier,
        focal_gamma=loss.focal_gamma,
        label_smoothing=loss.label_smoothing,
        learns_weights=loss.weighting == "uncertainty",
        micro_batches=optim.micro_batches,
        clips=optim.clip_norm > 0,
        averages=optim.ema_decay > 0,
        treats_encoder=optim.encoder_rate != 1.0 or optim.encoder_frozen_epochs > 0,
        flips=config.inference.flips,
        pads=config.data.fit == "pad",
    )


def hyperparameters_of(config: Config, total_steps: int) -> Hyperparameters:
    """Those of a configuration, for a run of so many steps."""
    optim, loss = config.optim, config.loss
    frozen = round(total_steps * optim.encoder_frozen_epochs / config.train.epochs)
    return Hyperparameters(
        seed=np.uint32(config.seed % 2**32),
        total_steps=np.float32(total_steps),
        warmup_steps=np.float32(min(round(optim.warmup_fraction * total_steps), total_steps - 1)),
        frozen_steps=np.float32(frozen),
        learning_rate=np.float32(optim.learning_rate),
        final_fraction=np.float32(optim.final_fraction),
        encoder_rate=np.float32(optim.encoder_rate),
        weight_decay=np.float32(optim.weight_decay),
        clip_norm=np.float32(optim.clip_norm),
        ema_decay=np.float32(optim.ema_decay),
        loss=LossWeights(
            dice=np.float32(loss.dice),
            bce=np.float32(loss.bce),
            segmentation=np.float32(loss.segmentation),
            classification=np.float32(loss.classification),
        ),
    )
