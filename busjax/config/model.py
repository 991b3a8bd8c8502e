"""The network: encoder, decoder, heads and what they are made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from busjax.config.rules import FLAG, POSITIVE, SHARE, OneOf, Text, Whole
from busjax.config.section import Section, setting

EFFICIENTNET_DEPTH = 5
"""Times that an EfficientNet halves the image."""


class Model(Section):
    PLACE: ClassVar[str] = "model."

    name: str = setting(OneOf(("unet", "gated_unet", "unetpp")), "the decoder", default="unet")
    encoder: str = setting(
        OneOf(("conv", "efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")),
        "the encoder",
        default="conv",
    )
    encoder_weights: str = setting(
        Text(), "'': drawn | 'imagenet' (extra 'pretrained') | a safetensors file", default=""
    )
    encoder_norms: str = setting(
        OneOf(("trained", "frozen")),
        "EfficientNet's batch norms; frozen: as published",
        default="trained",
    )
    image_channels: int = setting(
        OneOf((1, 3)), "1: grey image; 3: the grey image three times", default=1
    )
    width: int = setting(
        POSITIVE, "channels of the finest level; doubled at every level below", default=16
    )
    depth: int = setting(
        Whole(1, 10),
        "times the encoder halves the image (EfficientNet: 5); its size divides by 2^depth",
        default=4,
    )
    norm: str = setting(
        OneOf(("batch", "group", "instance")), "the norm; batch: over all devices", default="batch"
    )
    norm_groups: int = setting(POSITIVE, "groups of the group norm", default=8)
    batch_norm_momentum: float = setting(
        SHARE, "of the running statistics of the batch norm", default=0.9
    )
    activation_slope: float = setting(
        SHARE, "slope of the ReLU below zero; 0.1: the leaky ReLU of the paper", default=0.0
    )
    dropout: float = setting(
        SHARE,
        "share of the channels dropped after each block of the encoder and decoder",
        default=0.0,
    )
    upsample: str = setting(
        OneOf(("transposed", "bilinear")),
        "2x2 transposed convolution, or bilinear and then 1x1",
        default="transposed",
    )
    gate: str = setting(
        OneOf(("unit", "attention")),
        "gates of 'gated_unet': one a level (ACSNet), or at every pixel (Oktay)",
        default="unit",
    )
    deep_supervision: bool = setting(
        FLAG, "U-Net++: a mask from each of X[0,1] .. X[0,depth]", default=True
    )
    prune: int = setting(
        Whole(0),
        "U-Net++ at inference: take the mask of X[0,prune]; 0: of X[0,depth]",
        default=0,
        inference=True,
    )
    classifier_hidden: int = setting(
        POSITIVE, "units of the classifier's hidden layer", default=128
    )
    classifier_dropout: float = setting(
        SHARE, "share of the classifier's pooled features dropped", default=0.3
    )
    presence: str = setting(
        OneOf(("head", "mask")),
        "what tells whether there is a lesion; head: the classifier, among its classes; mask: the "
        "mask's own logits, and the classifier tells benign from malignant",
        default="head",
    )
    refine: str = setting(
        OneOf(("none", "hard", "soft", "both")),
        "hard: class normal, empty mask; soft: mask * p(lesion); both: hard, and a lesion with an "
        "empty mask becomes normal",
        default="none",
        inference=True,
    )
    dtype: str = setting(
        OneOf(("auto", "float32", "bfloat16")),
        "of the activations; auto: by the hardware",
        default="auto",
        free=True,
    )
    ops: str = setting(
        OneOf(("auto", "reference", "cpu", "portable")),
        "implementation of the operations; auto: by the backend; portable: for export",
        default="auto",
        free=True,
    )

    @property
    def halvings(self) -> int:
        """Times that the encoder halves the image."""
        return EFFICIENTNET_DEPTH if self.encoder.startswith("efficientnet") else self.depth

    def contradictions(self) -> Iterator[str]:
        if self.prune > self.halvings:
            yield f"config.model.prune={self.prune} must be at most {self.halvings}, the depth"
        if self.prune and not self.deep_supervision:
            yield (
                "config.model.prune needs config.model.deep_supervision: X[0,prune] has no mask "
                "else"
            )
        if self.encoder_weights and self.encoder == "conv":
            yield (
                "config.model.encoder_weights are those of an EfficientNet: set "
                "config.model.encoder, such as efficientnet_lite0"
            )
