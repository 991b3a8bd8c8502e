"""Calibration: by hand, beside scikit-learn, and a temperature that is found again."""

import numpy as np
import pytest
from scipy import special
from sklearn import metrics
from sklearn.calibration import calibration_curve

from busjax.metrics import calibration


def drawn(rng, n=500, sharpness=2.0):
    """Labels that are drawn from the probabilities: those are calibrated."""
    probabilities = special.softmax(sharpness * rng.standard_normal((n, 3)), axis=1)
    labels = (rng.random((n, 1)) > probabilities.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    return labels, probabilities


def test_by_hand():
    labels = np.array([0, 0, 1, 2])
    probabilities = np.array([[0.9, 0.1, 0.0], [0.3, 0.7, 0.0], [0.2, 0.8, 0.0], [0.0, 0.0, 1.0]])
    found = calibration.reliability(labels, probabilities, bins=2)
    assert found.images.tolist() == [0, 4]
    assert found.confidence[1] == pytest.approx(0.85)
    assert found.accuracy[1] == 0.75
    assert np.isnan(found.accuracy[0])
    assert calibration.expected_error(labels, probabilities, bins=2) == pytest.approx(0.1)
    # Bins (0.6, 0.7], (0.7, 0.8], (0.8, 0.9], (0.9, 1]: gaps 0.7, 0.2, 0.1, 0.
    assert calibration.expected_error(labels, probabilities, bins=10) == pytest.approx(0.25)
    squares = [0.1**2 + 0.1**2, 0.7**2 + 0.7**2, 0.2**2 + 0.2**2, 0.0]
    assert calibration.brier(labels, probabilities) == pytest.approx(np.mean(squares))
    assert calibration.likelihood_loss(labels, probabilities) == pytest.approx(
        -np.log([0.9, 0.3, 0.8, 1.0]).mean()
    )


def test_it_agrees_with_scikit_learn(rng):
    labels, probabilities = drawn(rng)
    right = probabilities.argmax(axis=1) == labels
    confidence = probabilities.max(axis=1)
    accuracy, mean = calibration_curve(right, confidence, n_bins=calibration.BINS)
    found = calibration.reliability(labels, probabilities)
    known = found.images > 0
    np.testing.assert_allclose(found.accuracy[known], accuracy)
    np.testing.assert_allclose(found.confidence[known], mean)
    each = [
        metrics.brier_score_loss(labels == index, probabilities[:, index]) for index in range(3)
    ]
    assert calibration.brier(labels, probabilities) == pytest.approx(sum(each))
    assert calibration.likelihood_loss(labels, probabilities) == pytest.approx(
        metrics.log_loss(labels, probabilities)
    )


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_found_again(rng, temperature):
    labels, probabilities = drawn(rng, 5000)
    spoilt = calibration.scale(probabilities, 1 / temperature)
    found = calibration.fit_temperature(labels, spoilt)
    assert found == pytest.approx(temperature, rel=0.06)
    better = calibration.scale(spoilt, found)
    assert calibration.expected_error(labels, better) < 0.03
    np.testing.assert_allclose(better.sum(axis=1), 1)
    assert (better.argmax(axis=1) == spoilt.argmax(axis=1)).all()


def test_certain_and_empty_probabilities(rng):
    """All right, all wrong: the temperature stays within its bounds, and nothing is infinite."""
    sure = np.eye(3)[[0, 1, 2]]
    assert 0.1 <= calibration.fit_temperature(np.array([0, 1, 2]), sure) <= 1
    assert calibration.fit_temperature(np.array([1, 2, 0]), sure) == pytest.approx(10, rel=0.01)
    assert calibration.expected_error(np.array([1, 2, 0]), sure) == 1
    assert calibration.brier(np.array([1, 2, 0]), sure) == 2
    assert np.isfinite(calibration.likelihood_loss(np.array([1, 2, 0]), sure))
