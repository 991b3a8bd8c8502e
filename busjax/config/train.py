"""The training loop: batches, epochs, checkpoints."""

from __future__ import annotations

from typing import ClassVar

from busjax.config.rules import POSITIVE, OneOf, SumOf, Text, Whole
from busjax.config.section import Section, setting

_BY_CLASS = ("dice", "dice_median", "iou", "sensitivity", "f1", "auc")
_CLASSES = ("benign", "malignant", "normal")

SCORES = (
    *("dice_average", "dice_median", "iou_average"),
    *("accuracy", "balanced_accuracy", "f1_weighted", "auc_macro"),
    *(f"{score}_{name}" for score in _BY_CLASS for name in _CLASSES),
)
"""Validation scores of which higher is better."""


class Train(Section):
    PLACE: ClassVar[str] = "train."

    batch_size: int = setting(POSITIVE, "images a step, over all devices", default=8)
    eval_batch_size: int = setting(
        POSITIVE, "images a step when evaluating, over all devices", default=32, free=True
    )
    epochs: int = setting(POSITIVE, "times all training images are seen", default=13)
    init_from: str = setting(
        Text(), "folder of a run to start from; '': from weights that are drawn", default=""
    )
    init_parts: str = setting(
        OneOf(("all", "encoder")), "of that run: all that fits, or its encoder", default="all"
    )
    checkpoint_epochs: int = setting(POSITIVE, "epochs between two checkpoints", default=1)
    monitor: str = setting(
        SumOf(SCORES),
        "validation scores whose sum chooses the checkpoint",
        default="dice_average+accuracy",
    )
    skip_nonfinite: int = setting(
        Whole(0),
        "updates in a row left out for NaN or infinity; one more: the end",
        default=0,
        free=True,
    )
    lock_timeout: int = setting(
        Whole(1, 86_400),
        "seconds without a sign of life that end another host's hold of a run",
        default=60,
        free=True,
    )
