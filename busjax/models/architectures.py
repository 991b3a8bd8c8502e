"""The tables of encoders and decoders, and the network of a configuration."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp

from busjax import ops
from busjax.classes import CLASSES
from busjax.config import Model
from busjax.models.blocks import BlockSpec
from busjax.models.efficientnet_lite import VARIANTS, EfficientNetLite
from busjax.models.encoder import ConvEncoder
from busjax.models.heads import Classifier
from busjax.models.network import Decoder, Encoder, MultiTaskNet
from busjax.models.unet import UNetDecoder
from busjax.models.unetpp import UNetPlusPlusDecoder
from busjax.ops import hardware

# A new architecture is a file beside this one and a line here.
DECODERS: dict[str, Callable[[BlockSpec, Model], Decoder]] = {
    "unet": lambda spec, model: UNetDecoder(spec),
    "gated_unet": lambda spec, model: UNetDecoder(spec, gate=model.gate),
    "unetpp": lambda spec, model: UNetPlusPlusDecoder(spec, prune=model.prune),
}

ENCODERS: dict[str, Callable[[BlockSpec, Model], Encoder]] = {
    "conv": lambda spec, model: ConvEncoder(
        spec, model.width, model.depth, activation_dtype(model.dtype)
    ),
    **{
        variant: lambda spec, model: EfficientNetLite(
            spec,
            model.encoder,
            model.width,
            activation_dtype(model.dtype),
            model.encoder_norms == "frozen",
        )
        for variant in VARIANTS
    },
}


def build(model: Model, axis_name: str | None = None) -> MultiTaskNet:
    """Builds the network that `config.model` asks for.

    Args:
        model: its settings.
        axis_name: the mapped axis of the devices, over which batch norm averages and dropout is
            drawn; None outside a mapped step.
    """
    spec = BlockSpec(
        ops=ops.select(model.ops),
        norm=model.norm,
        norm_groups=model.norm_groups,
        batch_norm_momentum=model.batch_norm_momentum,
        activation_slope=model.activation_slope,
        dropout=model.dropout,
        upsample=model.upsample,
        axis_name=axis_name,
    )
    return MultiTaskNet(
        encoder=ENCODERS[model.encoder](spec, model),
        decoder=DECODERS[model.name](spec, model),
        classifier=Classifier(
            spec, len(CLASSES), model.classifier_hidden, model.classifier_dropout
        ),
        deep_supervision=model.deep_supervision,
        presence=model.presence,
    )


def activation_dtype(name: str) -> jnp.dtype:
    """The dtype of the activations that `config.model.dtype` stands for on this machine."""
    if name == "auto":
        name = "bfloat16" if hardware.has_fast_bfloat16() else "float32"
    return jnp.dtype(name)
