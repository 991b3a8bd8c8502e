"""More measures of a set of images: outlines, lesions, calibration, agreement of the two heads."""

from __future__ import annotations

import numpy as np

from busjax.classes import CLASSES, NORMAL
from busjax.metrics import calibration, classification
from busjax.metrics.boundary import Distances
from busjax.metrics.detection import Lesions

_SPECIFICITY = 0.9


def describe_classes(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Measures of the class probabilities, by name.

    'sensitivity_at_90_malignant' at a specificity of 0.9 for malignant against the rest; 'ece'
    (expected calibration error), 'brier' and 'nll' (nats): lower is better.

    Args:
        labels: (N,) int, indices into `CLASSES`.
        probabilities: (N, 3) in [0, 1].
    """
    at = classification.sensitivity_at(labels, probabilities, _SPECIFICITY)
    return {
        "sensitivity_at_90_malignant": float(at[CLASSES.index("malignant")]),
        "ece": calibration.expected_error(labels, probabilities),
        "brier": calibration.brier(labels, probabilities),
        "nll": calibration.likelihood_loss(labels, probabilities),
    }


def describe_masks(distances: Distances, lesions: Lesions) -> dict[str, float]:
    """Measures of the masks, by name.

    'hausdorff95', its median, and 'distance' in pixels over the 'n_outlined' images on which both
    masks have a lesion; 'lesion_sensitivity' over all annotated lesions; 'false_lesions' an image.

    Args:
        distances, lesions: of N images.
    """
    known = np.isfinite(distances.average)
    outlined = Distances(*(values[known] for values in distances))
    annotated = int(lesions.annotated.sum())
    return {
        "n_outlined": int(known.sum()),
        "hausdorff95": _mean(outlined.hausdorff95),
        "hausdorff95_median": float(np.median(outlined.hausdorff95)) if known.any() else np.nan,
        "distance": _mean(outlined.average),
        "lesion_sensitivity": int(lesions.found.sum()) / annotated if annotated else np.nan,
        "false_lesions": _mean(lesions.false),
    }


def agreement(probabilities: np.ndarray, drawn: np.ndarray) -> dict[str, int]:
    """Images on which mask and class contradict each other, by name.

    Args:
        probabilities: (N, 3) in [0, 1], of the classes.
        drawn: (N,) int, pixels of the predicted mask.
    """
    normal = probabilities.argmax(axis=1) == NORMAL
    return {
        "n_mask_on_normal": int((normal & (drawn > 0)).sum()),
        "n_lesion_without_mask": int((~normal & (drawn == 0)).sum()),
    }


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")
