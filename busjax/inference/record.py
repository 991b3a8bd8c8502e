"""What predictions.json says; `predictions.schema.json` describes it field by field."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from busjax import files
from busjax.classes import CLASSES
from busjax.inference import NOTE, lesions
from busjax.inference.doubt import Doubt
from busjax.inference.frame import Frame
from busjax.inference.inputs import File

if TYPE_CHECKING:
    from busjax.inference.predictor import Predictor, Reading

VERSION = 1
"""Of the schema: another one where a field is gone or means something else."""

SCHEMA = Path(__file__).with_name("predictions.schema.json")


def head(predictor: Predictor) -> dict[str, Any]:
    """What goes for all images: program, network, settings, conventions."""
    config, calibration = predictor.config, predictor.ensemble.calibration
    return {
        "schema_version": VERSION,
        "busjax": metadata.version("busjax"),
        "date": _today(),
        "complete": False,  # until the last file was read
        "note": NOTE,
        "model": {
            "name": config.name,
            "digest": predictor.digests[0],
            "step": predictor.step,
            "trained_on": predictor.trained_on,
            "members": list(predictor.digests),
        },
        "classes": list(CLASSES),
        "settings": {
            "flips": config.inference.flips,
            "refine": config.model.refine,
            "threshold": round(float(calibration.threshold), 6),
            "temperature": round(float(calibration.temperature), 6),
            "largest": config.inference.largest,
            "crop": config.inference.crop,
            "coverage": config.inference.coverage,
        },
        "conventions": _conventions(),
    }


def image(
    file: File, name: str, frame: Frame, reading: Reading, saved: dict[str, str]
) -> dict[str, Any]:
    """The entry of one image.

    Args:
        file: that it is of.
        name: unique among all images.
        frame: the image.
        reading: what the network says.
        saved: paths of 'mask' and 'overlay' from the folder of results, of those that there are.
    """
    height, width = frame.pixels.shape
    probabilities = zip(CLASSES, reading.class_probabilities.tolist(), strict=True)
    return {
        "file": files.shown(file.path),
        "name": name,
        "frame": frame.number or None,
        "dicom": frame.uids,
        "width": width,
        "height": height,
        "pixel_height_mm": frame.spacing[0] if frame.spacing else None,
        "pixel_width_mm": frame.spacing[1] if frame.spacing else None,
        "class": reading.class_name,
        "probabilities": {label: round(value, 6) for label, value in probabilities},
        "lesions": [
            _lesion(box, part, frame.spacing_of(box)) for box, part in lesions.find(reading.mask)
        ],
        "views": [dataclasses.asdict(view) for view in reading.views],
        **_doubt(reading.doubt),
        "mask": saved.get("mask"),
        "overlay": saved.get("overlay"),
    }


def document(
    about: dict[str, Any], images: list[dict[str, Any]], unreadable: list[dict[str, str]]
) -> bytes:
    """The whole file, from `head`, the entries of all images, and the files left out."""
    content = {**about, "images": images, "unreadable": unreadable}
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()


def _lesion(
    box: lesions.Box, part: np.ndarray, spacing: tuple[float, float] | None
) -> dict[str, Any]:
    pixels = lesions.measure(part)
    real = lesions.measure(part, spacing) if spacing else None
    return {
        "left": box.left,
        "top": box.top,
        "right": box.right,
        "bottom": box.bottom,
        "area_pixels": box.area,
        "longest_diameter_pixels": round(pixels.longest, 2),
        "shortest_diameter_pixels": round(pixels.shortest, 2),
        "area_mm2": round(real.area, 2) if real else None,
        "longest_diameter_mm": round(real.longest, 2) if real else None,
        "shortest_diameter_mm": round(real.shortest, 2) if real else None,
    }


def _doubt(doubt: Doubt) -> dict[str, Any]:
    def rounded(value: float | None) -> float | None:
        return None if value is None else round(value, 4)

    return {
        "uncertainty": {
            "mask": rounded(doubt.mask),
            "class": rounded(doubt.classes),
            "contradiction": rounded(doubt.contradiction),
            "mask_disagreement": rounded(doubt.mask_disagreement),
            "class_disagreement": rounded(doubt.class_disagreement),
        },
        "out_of_distribution": {
            "distance": rounded(doubt.distance),
            "objections": list(doubt.objections),
        },
        "abstain": doubt.abstains,
        "abstain_reasons": list(doubt.reasons),
    }


def _conventions() -> dict[str, str]:
    """How numbers are to be read, as the schema fixes it."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    fields = schema["properties"]["conventions"]["properties"]
    return {name: field["const"] for name, field in fields.items()}


def _today() -> str:
    """The day in UTC; $SOURCE_DATE_EPOCH, for a file that is to be the same on another day."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = datetime.datetime.now(datetime.UTC)
    if epoch.isdecimal():
        now = datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
    return now.date().isoformat()
