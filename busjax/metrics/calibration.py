"""Whether probabilities mean what they say, and the temperature that makes them mean it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy

from busjax.classes import CLASSES

BINS = 15
_SMALLEST = 1e-12  # of a probability whose logarithm is taken


class Reliability(NamedTuple):
    """Images by the confidence of their prediction, in bins of equal width; (B,) each.

    Attributes:
        images: number of them in the bin, int64.
        confidence: mean probability of the predicted class; nan in an empty bin.
        accuracy: share of predictions that are right; nan in an empty bin.
    """

    images: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def reliability(labels: np.ndarray, probabilities: np.ndarray, bins: int = BINS) -> Reliability:
    """Sorts images into bins (low, high] of the highest of their probabilities.

    Args:
        labels: (N,) int, indices into `CLASSES`.
        probabilities: (N, 3) in [0, 1], rows sum to 1.
        bins: of equal width over [0, 1].
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):  # 0 / 0 is the nan of an empty bin
        return Reliability(
            count,
            np.bincount(place, confidence, bins) / count,
            np.bincount(place, right, bins) / count,
        )


def expected_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: |accuracy - confidence|, averaged over the images by bin.

    Guo 2017, arXiv:1706.04599, eq. 3; in [0, 1], 0 is best.
    """
    curve = reliability(labels, probabilities, bins)
    gaps = np.nan_to_num(np.abs(curve.accuracy - curve.confidence))
    return float((curve.images * gaps).sum() / curve.images.sum())


def brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Brier score: squared distance of probabilities and truth, summed over the classes.

    Brier 1950; the mean over the images, in [0, 2], 0 is best.
    """
    return float(((probabilities - np.eye(len(CLASSES))[labels]) ** 2).sum(axis=1).mean())


def likelihood_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean negative log-likelihood of the true classes, in nats."""
    of_truth = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(of_truth, _SMALLEST)).mean())


def scale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax of the logits divided by a temperature, from the probabilities themselves.

    Args:
        probabilities: (N, 3) in [0, 1].
        temperature: above 0; above 1: less confident. The order of the classes stays.
    """
    logits = np.log(np.maximum(probabilities, _SMALLEST))
    return scipy.special.softmax(logits / temperature, axis=1)


def fit_temperature(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The temperature in [0.1, 10] under which these images are likeliest (Guo 2017, sec. 4.2).

    Args:
        labels: (N,) int, of images that the network was not trained on, and is not tested on.
        probabilities: (N, 3) in [0, 1].
    """

    def loss(logarithm: float) -> float:
        return likelihood_loss(labels, scale(probabilities, np.exp(logarithm)))

    bounds = np.log([0.1, 10.0])
    solution = scipy.optimize.minimize_scalar(loss, bounds=bounds, method="bounded")
    return float(np.exp(solution.x))
