"""The whole network: encoder -> decoder -> heads, and the table of architectures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import chex
import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from busjax import ops
from busjax.classes import CLASSES
from busjax.config import Model
from busjax.errors import UserError
from busjax.models.blocks import BlockSpec
from busjax.models.efficientnet_lite import VARIANTS, EfficientNetLite
from busjax.models.encoder import ConvEncoder
from busjax.models.heads import Classifier, SegmentationHead
from busjax.models.unet import UNetDecoder
from busjax.models.unetpp import UNetPlusPlusDecoder
from busjax.ops import hardware
from busjax.ops.interface import Array

# A new architecture is a file beside this one and a line here.
ARCHITECTURES: dict[str, Callable[[BlockSpec, Model], nn.Module]] = {
    "unet": lambda spec, model: UNetDecoder(spec, name="decoder"),
    "gated_unet": lambda spec, model: UNetDecoder(spec, gate=model.gate, name="decoder"),
    "unetpp": lambda spec, model: UNetPlusPlusDecoder(spec, prune=model.prune, name="decoder"),
}

# What reads the image; each gives a list of features, fine to coarse, from stride 1 on.
ENCODERS: dict[str, Callable[[BlockSpec, Model], nn.Module]] = {
    "conv": lambda spec, model: ConvEncoder(
        spec, model.width, model.depth, activation_dtype(model.dtype), name="encoder"
    ),
    **{
        variant: lambda spec, model: EfficientNetLite(
            spec,
            model.encoder,
            model.width,
            activation_dtype(model.dtype),
            model.encoder_norms == "frozen",
            name="encoder",
        )
        for variant in VARIANTS
    },
}


@flax.struct.dataclass
class Outputs:
    """What the network says of a batch, before any threshold.

    Attributes:
        mask_logits: each (B, H, W, 1) float32; the mask first, then the auxiliary masks of deep
            supervision, deep to shallow.
        class_logits: (B, classes) float32.
    """

    mask_logits: tuple[Array, ...]
    class_logits: Array


class MultiTaskNet(nn.Module):
    """Reads an image once; draws the tumour and names the class.

    Attributes:
        model: `config.model`.
        axis_name: the mapped axis of the devices, over which batch norm averages and dropout is
            drawn; None outside a mapped step.
    """

    model: Model
    axis_name: str | None = None

    @nn.compact
    def __call__(self, image: Array, train: bool) -> Outputs:
        """Maps images (B, H, W, C) float32 in [0, 1] to `Outputs`.

        Raises:
            UserError: H or W is not divisible by the stride of the coarsest feature.
        """
        model, spec = self.model, _block_spec(self.model, self.axis_name)
        chex.assert_shape(image, (None, None, None, model.image_channels))
        check_image_size(image.shape[1], image.shape[2], model.halvings)
        features = ENCODERS[model.encoder](spec, model)(image, train)
        finest, coarse = ARCHITECTURES[model.name](spec, model)(features, train)

        masks = finest if train and model.deep_supervision else finest[:1]
        names = [f"mask_{len(finest) - i}" for i in range(len(masks))]
        mask_logits = tuple(
            SegmentationHead(spec.ops, name=name)(x) for name, x in zip(names, masks, strict=True)
        )
        class_logits = Classifier(
            spec.ops, len(CLASSES), model.classifier_hidden, model.classifier_dropout,
            self.axis_name, name="classifier",
        )((features[-2], features[-1], coarse), train)  # fmt: skip
        return Outputs(mask_logits, class_logits)


def build(model: Model, axis_name: str | None = None) -> MultiTaskNet:
    """Builds the network of `config.model`, whose fields are in their ranges."""
    return MultiTaskNet(model=model, axis_name=axis_name)


def activation_dtype(name: str) -> jnp.dtype:
    """The dtype of the activations that `config.model.dtype` stands for on this machine."""
    if name == "auto":
        name = "bfloat16" if hardware.has_fast_bfloat16() else "float32"
    return jnp.dtype(name)


def check_image_size(height: int, width: int, depth: int) -> None:
    """Raises a UserError that names the next size that fits, unless 2^depth divides both."""
    step = 2**depth
    if height % step or width % step:
        fits = tuple(-(-side // step) * step for side in (height, width))
        raise UserError(
            f"an image of {height} x {width} cannot be halved {depth} times: both sides must be "
            f"divisible by {step}; the next size that fits is {fits[0]} x {fits[1]}"
        )


def count_parameters(params: Any) -> int:
    """Number of trainable values in a tree of parameters."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def _block_spec(model: Model, axis_name: str | None) -> BlockSpec:
    return BlockSpec(
        ops=ops.select(model.ops),
        norm=model.norm,
        norm_groups=model.norm_groups,
        batch_norm_momentum=model.batch_norm_momentum,
        activation_slope=model.activation_slope,
        dropout=model.dropout,
        upsample=model.upsample,
        axis_name=axis_name,
    )
