"""Measures of the predicted class; a class without images gives nan, never a warning."""

from __future__ import annotations

from typing import Any

import numpy as np

from busjax.classes import CLASSES

_INDICES = np.arange(len(CLASSES))


def _scikit_learn() -> Any:
    """Its measures; they take a second to import, and the first epoch needs none."""
    from sklearn import metrics

    return metrics


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Images by class (rows) and predicted class (columns): (3, 3) int64.

    Args:
        labels: (N,) int, indices into `CLASSES`.
        predictions: (N,) int, indices into `CLASSES`.
    """
    return _scikit_learn().confusion_matrix(labels, predictions, labels=_INDICES)


def accuracy(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Share of the images, all classes together, whose class is predicted right, in [0, 1]."""
    return float(_scikit_learn().accuracy_score(labels, predictions))


def sensitivity(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Share of each class that is recognised (recall): (3,) float64 in [0, 1]."""
    return _scikit_learn().recall_score(
        labels, predictions, labels=_INDICES, average=None, zero_division=np.nan
    )


def balanced_accuracy(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Mean sensitivity of the classes that have images, in [0, 1]."""
    return float(np.nanmean(sensitivity(labels, predictions)))


def f1(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """F1 of each class against the rest: (3,) float64 in [0, 1]."""
    scores = _scikit_learn().f1_score(
        labels, predictions, labels=_INDICES, average=None, zero_division=0.0
    )
    # scikit-learn gives 0 to a class without images as soon as it is predicted once.
    return np.where(np.isin(_INDICES, labels), scores, np.nan)


def f1_weighted(labels: np.ndarray, predictions: np.ndarray) -> float:
    """F1 averaged over the classes, weighted by their number of images, in [0, 1]."""
    return float(
        _scikit_learn().f1_score(labels, predictions, average="weighted", zero_division=0.0)
    )


def auc(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each class against the rest: (3,) float64 in [0, 1].

    Args:
        labels: (N,) int, indices into `CLASSES`.
        probabilities: (N, 3) in [0, 1], one column a class.
    """
    return np.array([_auc_one(labels == index, probabilities[:, index]) for index in _INDICES])


def _auc_one(positive: np.ndarray, score: np.ndarray) -> float:
    if positive.all() or not positive.any():  # without both kinds there is nothing to rank
        return float("nan")
    return float(_scikit_learn().roc_auc_score(positive, score))


def sensitivity_at(labels: np.ndarray, probabilities: np.ndarray, specificity: float) -> np.ndarray:
    """Largest sensitivity of each class whose specificity is not below the one given: (3,) float64.

    The threshold on the probability of the class is the one that gives it, on these images.

    Args:
        labels: (N,) int, indices into `CLASSES`.
        probabilities: (N, 3) in [0, 1], one column a class.
        specificity: share of the other images that must be told apart, in [0, 1].
    """
    return np.array(
        [_sensitivity_one(labels == i, probabilities[:, i], specificity) for i in _INDICES]
    )


def _sensitivity_one(positive: np.ndarray, score: np.ndarray, specificity: float) -> float:
    if positive.all() or not positive.any():
        return float("nan")
    false_rate, true_rate, _ = _scikit_learn().roc_curve(positive, score, drop_intermediate=False)
    return float(true_rate[false_rate <= 1 - specificity + 1e-12].max())
