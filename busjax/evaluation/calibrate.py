"""What the validation images tell of a run's probabilities.

Both values are found at every evaluation of a run; `config.inference` says which of them are used.
"""

from __future__ import annotations

import numpy as np

from busjax.config import Inference
from busjax.errors import UserError
from busjax.files import PathLike
from busjax.metrics import segmentation
from busjax.metrics.calibration import fit_temperature
from busjax.models import prediction
from busjax.models.prediction import Calibration

THRESHOLDS = np.linspace(0.1, 0.9, 33)


def fit(
    mask: np.ndarray, classes: np.ndarray, target: np.ndarray, labels: np.ndarray, refine: str
) -> Calibration:
    """The threshold of highest mean Dice and the temperature of highest likelihood.

    Args:
        mask: (N, H, W) float32 in [0, 1], probabilities before calibration and refinement.
        classes: (N, 3) float32, likewise.
        target: (N, H, W) bool, annotations.
        labels: (N,) int, indices into `CLASSES`.
        refine: `config.model.refine`, which has a say in the Dice.
    """
    scores = []
    for threshold in THRESHOLDS:
        refined = prediction.postprocess(mask[..., None], classes, Calibration(threshold), refine)
        drawn = np.asarray(refined.mask)[..., 0] >= 0.5
        scores.append(segmentation.dice(segmentation.count_pixels(drawn, target)).mean())
    best = np.flatnonzero(np.isclose(scores, max(scores)))
    nearest = best[np.abs(THRESHOLDS[best] - 0.5).argmin()]
    return Calibration(
        np.float32(THRESHOLDS[nearest]), np.float32(fit_temperature(labels, classes))
    )


def used(inference: Inference, fitted: Calibration) -> Calibration:
    """Of what was found, what `config.inference` asks for; neutral values for the rest."""
    neutral = Calibration()
    return Calibration(
        fitted.threshold if inference.threshold == "validation" else neutral.threshold,
        fitted.temperature if inference.temperature == "validation" else neutral.temperature,
    )


def asked(inference: Inference, fitted: Calibration | None, place: PathLike) -> Calibration:
    """What `config.inference` asks for, of what was fitted for a network.

    Args:
        inference: `config.inference`.
        fitted: for the network; None: nothing was.
        place: of the network.

    Raises:
        UserError: it is asked for, but was never fitted.
    """
    if inference.threshold == "fixed" and inference.temperature == "none":
        return Calibration()
    if fitted is None:
        raise UserError(
            f"config.inference asks for values of validation, but {place} holds none: evaluate the "
            f"run first (--mode=evaluate --workdir={place})"
        )
    return used(inference, fitted)
