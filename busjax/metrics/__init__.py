"""Metrics of masks and classes, by plain NumPy arrays.

Pixels are counted once: `dice(count_pixels(prediction, target))` gives a value an image, 1 where
both masks are empty. `summarise` makes all scores of a set.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from busjax.metrics.boundary import Distances, distances
    from busjax.metrics.calibration import brier, expected_error, fit_temperature
    from busjax.metrics.classification import accuracy, auc, balanced_accuracy, f1, sensitivity
    from busjax.metrics.detection import Lesions, lesions
    from busjax.metrics.segmentation import PixelCounts, count_pixels, dice, iou, precision, recall
    from busjax.metrics.summary import summarise

# Loaded when asked for: those of outlines and classes take a second to import.
_WHERE = {
    "boundary": ("Distances", "distances"),
    "calibration": ("brier", "expected_error", "fit_temperature"),
    "classification": ("accuracy", "auc", "balanced_accuracy", "f1", "sensitivity"),
    "detection": ("Lesions", "lesions"),
    "segmentation": ("PixelCounts", "count_pixels", "dice", "iou", "precision", "recall"),
    "summary": ("summarise",),
}

__all__ = [
    "Distances",
    "Lesions",
    "PixelCounts",
    "accuracy",
    "auc",
    "balanced_accuracy",
    "brier",
    "count_pixels",
    "dice",
    "distances",
    "expected_error",
    "f1",
    "fit_temperature",
    "iou",
    "lesions",
    "precision",
    "recall",
    "sensitivity",
    "summarise",
]


def __getattr__(name: str) -> Any:
    for module, names in _WHERE.items():
        if name in names:
            return getattr(importlib.import_module(f"busjax.metrics.{module}"), name)
    raise AttributeError(f"module 'busjax.metrics' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
