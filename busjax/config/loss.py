"""The combined loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from busjax.config.rules import NOT_NEGATIVE, SHARE, OneOf
from busjax.config.section import Section, setting


class Loss(Section):
    PLACE: ClassVar[str] = "loss."

    dice: float = setting(
        NOT_NEGATIVE, "weight of the Dice loss within the mask's loss", default=1.0
    )
    bce: float = setting(
        NOT_NEGATIVE, "weight of the binary cross-entropy within the mask's loss", default=1.0
    )
    segmentation: float = setting(NOT_NEGATIVE, "weight of the mask's loss", default=1.0)
    classification: float = setting(
        NOT_NEGATIVE, "weight of the class's loss; 0: segmentation only", default=0.5
    )
    classifier: str = setting(
        OneOf(("cross_entropy", "focal")), "the loss of the class", default="cross_entropy"
    )
    focal_gamma: float = setting(NOT_NEGATIVE, "focusing parameter of the focal loss", default=2.0)
    label_smoothing: float = setting(SHARE, "of the class's target", default=0.0)
    weighting: str = setting(
        OneOf(("fixed", "uncertainty")),
        "fixed: the weights above; uncertainty: learnt",
        default="fixed",
    )

    def contradictions(self) -> Iterator[str]:
        if not self.segmentation * (self.dice + self.bce) + self.classification:
            yield "every weight of config.loss is 0: there is nothing to learn"
