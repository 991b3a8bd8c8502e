"""Threshold and temperature that validation images asked for: calibration.json of a run."""

from __future__ import annotations

import json

import numpy as np
from etils import epath

from busjax import files
from busjax.files import PathLike
from busjax.models.prediction import Calibration

FILE = "calibration.json"


def save(workdir: PathLike, calibration: Calibration, images: int) -> None:
    """Writes what was fitted on so many validation images into the folder of the run."""
    content = {**to_json(calibration), "validation_images": images}
    files.replace(epath.Path(workdir) / FILE, (json.dumps(content, indent=1) + "\n").encode())


def read(workdir: PathLike) -> Calibration | None:
    """What was fitted for a run; None where there is no readable file: an evaluation makes it."""
    try:
        return from_json(json.loads((epath.Path(workdir) / FILE).read_text()))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def to_json(calibration: Calibration) -> dict[str, float]:
    """Both values, by name."""
    return {
        "threshold": round(float(calibration.threshold), 6),
        "temperature": round(float(calibration.temperature), 6),
    }


def from_json(content: dict[str, float]) -> Calibration:
    """The same back."""
    return Calibration(np.float32(content["threshold"]), np.float32(content["temperature"]))
