"""The validation score that chooses the checkpoint."""

from __future__ import annotations

import math

import numpy as np

from busjax.classes import CLASSES
from busjax.errors import UserError
from busjax.metrics.segmentation import PixelCounts
from busjax.metrics.summary import summarise


def monitored(scores: dict[str, float], monitor: str) -> float:
    """The sum of the scores that `monitor` names, joined by '+'; higher is better."""
    return sum(scores[name] for name in monitor.split("+"))


def check(monitor: str, labels: np.ndarray) -> None:
    """Raises a UserError where images of these classes leave a monitored score undefined.

    It would choose nothing: the last epoch would be evaluated as if it were the best.

    Args:
        monitor: `config.train.monitor`.
        labels: (N,) int, of the validation images.
    """
    if not len(labels):
        return  # which is told as such
    ones = np.ones(len(labels), np.int64)
    counts = PixelCounts(ones, 0 * ones, 0 * ones, ones)
    scores = summarise(labels, np.eye(len(CLASSES))[labels], counts)
    undefined = [name for name in monitor.split("+") if math.isnan(scores[name])]
    if undefined:
        numbers = np.bincount(labels, minlength=len(CLASSES)).tolist()
        held = ", ".join(f"{n} {name}" for n, name in zip(numbers, CLASSES, strict=True))
        raise UserError(
            f"config.train.monitor={monitor}: {undefined[0]} is undefined on the validation images "
            f"({held}) and would choose no checkpoint: name other scores, such as "
            "dice_average+accuracy"
        )
