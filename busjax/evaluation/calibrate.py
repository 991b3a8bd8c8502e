"""What the validation images tell of a run's probabilities, kept in calibration.json.

Both values are found at every evaluation of a run; `config.inference` says which of them are used.
"""

from __future__ import annotations

import json

import numpy as np
from etils import epath

from busjax import files
from busjax.config import Inference
from busjax.errors import UserError
from busjax.files import PathLike
from busjax.metrics import segmentation
from busjax.metrics.calibration import fit_temperature
from busjax.models import prediction
from busjax.models.prediction import Calibration

FILE = "calibration.json"
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


def save(workdir: PathLike, calibration: Calibration, images: int) -> None:
    """Writes what was found on so many validation images into the folder of the run."""
    content = {
        "threshold": round(float(calibration.threshold), 6),
        "temperature": round(float(calibration.temperature), 6),
        "validation_images": images,
    }
    files.replace(epath.Path(workdir) / FILE, (json.dumps(content, indent=1) + "\n").encode())


def read(workdir: PathLike, inference: Inference) -> Calibration:
    """What `config.inference` asks for, from the folder of the run.

    Raises:
        UserError: it is asked for, but is not there.
    """
    if inference.threshold == "fixed" and inference.temperature == "none":
        return Calibration()
    path = epath.Path(workdir) / FILE
    try:
        content = json.loads(path.read_text())
        values = Calibration(np.float32(content["threshold"]), np.float32(content["temperature"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} cannot be read ({error}), but config.inference asks for values of validation: "
            f"evaluate the run first (--mode=evaluate --workdir={workdir})"
        ) from error
    return used(inference, values)
