"""Threshold and temperature are found on validation, kept, and used where asked for."""

import numpy as np
import pytest

from busjax.config import Inference
from busjax.errors import UserError
from busjax.evaluation import calibrate
from busjax.models.prediction import Calibration
from busjax.networks import calibration


def images(rng, n=30):
    """Masks whose best threshold is 0.3: 0.35 inside and 0.25 outside."""
    target = np.zeros((n, 8, 8), bool)
    target[:, 2:6, 2:6] = True
    labels = rng.integers(0, 2, n)
    classes = 0.05 + 0.85 * np.eye(3)[labels]
    return np.where(target, 0.35, 0.25).astype(np.float32), classes, target, labels


@pytest.mark.parametrize("refine", ["none", "hard", "both"])
def test_the_threshold_of_highest_dice(rng, refine):
    mask, classes, target, labels = images(rng)
    found = calibrate.fit(mask, classes, target, labels, refine)
    assert 0.25 < found.threshold <= 0.35
    # Of all that are as good, the one nearest to 0.5.
    best = [t for t in calibrate.THRESHOLDS if 0.25 < t <= 0.35]
    assert found.threshold == pytest.approx(max(best))


def test_soft_refinement_has_a_say(rng):
    """The mask is multiplied by 0.95, so that the threshold must be lower than without."""
    mask, classes, target, labels = images(rng)
    mask = np.where(target, 0.51, 0.01).astype(np.float32)
    plain = calibrate.fit(mask, classes, target, labels, "none")
    soft = calibrate.fit(mask, classes, target, labels, "soft")
    assert plain.threshold == pytest.approx(0.5)
    assert soft.threshold < 0.5


def test_the_temperature_of_highest_likelihood(rng):
    mask, _, target, labels = images(rng, 300)
    wrong = rng.random(300) < 0.3
    says = np.where(wrong, 1 - labels, labels)
    classes = 0.01 + 0.97 * np.eye(3)[says]
    found = calibrate.fit(mask, classes, target, labels, "none")
    assert found.temperature > 1.5  # it was surer than it is right


def test_what_is_asked_for_is_used(tmp_path):
    found = Calibration(np.float32(0.3), np.float32(2.0))
    assert calibrate.used(Inference(), found) == Calibration()
    calibration.save(tmp_path, found, 30)
    kept = calibration.read(tmp_path)
    assert calibrate.asked(Inference(), kept, tmp_path) == Calibration()
    used = calibrate.asked(Inference(threshold="validation"), kept, tmp_path)
    assert (used.threshold, used.temperature) == (pytest.approx(0.3), 1.0)
    used = calibrate.asked(Inference(temperature="validation"), kept, tmp_path)
    assert (used.threshold, used.temperature) == (0.5, 2.0)


@pytest.mark.parametrize("text", [None, "", "{}", '{"threshold": "x", "temperature": 1}'])
def test_values_that_are_not_there(tmp_path, text):
    if text is not None:
        (tmp_path / calibration.FILE).write_text(text)
    kept = calibration.read(tmp_path)
    assert calibrate.asked(Inference(), kept, tmp_path) == Calibration()  # not asked for
    with pytest.raises(UserError, match=r"holds none: evaluate the run first .*--mode=evaluate"):
        calibrate.asked(Inference(temperature="validation"), kept, tmp_path)
