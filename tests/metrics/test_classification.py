"""Scores of the class by hand, against scikit-learn, and with a class absent."""

import numpy as np
import pytest
from sklearn import metrics

from busjax.metrics import classification

LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2])
PREDICTIONS = np.array([0, 0, 0, 1, 1, 0, 2, 2])


def test_scores_by_hand():
    matrix = classification.confusion_matrix(LABELS, PREDICTIONS)
    assert matrix.tolist() == [[3, 1, 0], [1, 1, 0], [0, 0, 2]]
    assert classification.accuracy(LABELS, PREDICTIONS) == pytest.approx(6 / 8)
    assert classification.sensitivity(LABELS, PREDICTIONS) == pytest.approx([3 / 4, 1 / 2, 1])
    assert classification.balanced_accuracy(LABELS, PREDICTIONS) == pytest.approx(2.25 / 3)
    assert classification.f1(LABELS, PREDICTIONS) == pytest.approx([3 / 4, 1 / 2, 1])
    weighted = (4 * 3 / 4 + 2 * 1 / 2 + 2 * 1) / 8
    assert classification.f1_weighted(LABELS, PREDICTIONS) == pytest.approx(weighted)


def test_auc_by_hand():
    """Of the 2 x 2 pairs (benign, other) three are ranked right."""
    probabilities = np.array([[0.8, 0.1, 0.1], [0.4, 0.5, 0.1], [0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    auc = classification.auc(np.array([0, 0, 1, 2]), probabilities)
    assert auc == pytest.approx([3 / 4, 2 / 3, 1])


def test_agrees_with_scikit_learn():
    rng = np.random.default_rng(1)
    labels, predictions = rng.integers(3, size=(2, 60))
    probabilities = rng.dirichlet([1, 1, 1], size=60)
    expected = metrics.roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    assert classification.auc(labels, probabilities).mean() == pytest.approx(expected)
    expected = metrics.balanced_accuracy_score(labels, predictions)
    assert classification.balanced_accuracy(labels, predictions) == pytest.approx(expected)
    expected = metrics.f1_score(labels, predictions, average="weighted")
    assert classification.f1_weighted(labels, predictions) == pytest.approx(expected)


@pytest.mark.parametrize("stray", [0, 2], ids=["never predicted", "predicted once"])
def test_absent_class_is_nan(stray):
    """Warnings are errors, so this also shows that none is given."""
    labels = np.array([0, 0, 1, 1])
    predictions = np.array([stray, 0, 1, 1])
    assert np.isnan(classification.f1(labels, predictions)).tolist() == [False, False, True]
    assert np.isnan(classification.sensitivity(labels, predictions)).tolist() == [0, 0, 1]
    hits = 0.5 if stray else 1.0
    assert classification.balanced_accuracy(labels, predictions) == pytest.approx((hits + 1) / 2)
    assert classification.confusion_matrix(labels, predictions).shape == (3, 3)


def test_auc_without_two_kinds_is_nan():
    probabilities = np.full((3, 3), 1 / 3)
    assert np.isnan(classification.auc(np.zeros(3, int), probabilities)).all()


def test_sensitivity_at_a_specificity_by_brute_force(rng):
    """Every threshold tried; ties included, and a class that is not there."""
    labels = rng.integers(0, 2, 40)
    probabilities = rng.integers(1, 6, (40, 3)) / 5
    for wanted in (0.0, 0.5, 0.9, 1.0):
        found = classification.sensitivity_at(labels, probabilities, wanted)
        assert np.isnan(found[2])
        for index in (0, 1):
            positive, score = labels == index, probabilities[:, index]
            tried = [0.0]
            for threshold in np.unique(score):
                called = score >= threshold
                if np.mean(~called[~positive]) >= wanted - 1e-9:
                    tried.append(np.mean(called[positive]))
            assert found[index] == pytest.approx(max(tried))
