"""The summary's names and values, with all classes and with one absent."""

import json

import numpy as np
import pytest

from busjax.metrics.segmentation import PixelCounts
from busjax.metrics.summary import summarise

LABELS = np.array([0, 0, 1, 2])
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
# Dice 2/3, 1, 0 and, for two empty masks, 1.
COUNTS = PixelCounts(*np.array([[1, 1, 0, 2], [2, 0, 0, 2], [0, 1, 1, 2], [0, 0, 0, 4]]).T)

NAMES = {
    f"{score}_{word}"
    for score in ("n", "dice", "dice_median", "iou", "sensitivity", "f1", "auc")
    for word in ("benign", "malignant", "normal")
} | {
    "n_images",
    "dice_average",
    "dice_median",
    "iou_average",
    "accuracy",
    "balanced_accuracy",
    "f1_weighted",
    "auc_macro",
}


def test_values_by_hand():
    summary = summarise(LABELS, PROBABILITIES, COUNTS)
    assert set(summary) == NAMES
    expected = {
        "n_images": 4,
        "n_benign": 2,
        "dice_average": (2 / 3 + 1 + 0 + 1) / 4,
        "dice_benign": (2 / 3 + 1) / 2,
        "dice_malignant": 0,
        "dice_normal": 1,
        "dice_median": (2 / 3 + 1) / 2,
        "iou_average": (1 / 2 + 1 + 0 + 1) / 4,
        "iou_benign": (1 / 2 + 1) / 2,
        "accuracy": 3 / 4,
        "balanced_accuracy": (1 / 2 + 1 + 1) / 3,
        "f1_benign": 2 / 3,
        "f1_malignant": 2 / 3,
        "f1_normal": 1,
        "f1_weighted": (2 * 2 / 3 + 2 / 3 + 1) / 4,
        "auc_benign": 1,
        "auc_malignant": 1,
        "auc_macro": 1,
    }
    assert {name: summary[name] for name in expected} == pytest.approx(expected)
    json.dumps(summary)  # plain numbers, not NumPy's


def test_median_is_not_the_mean():
    counts = PixelCounts(*np.array([[0, 1, 1, 2], [2, 0, 0, 2], [2, 0, 0, 2]]).T)  # Dice 0, 1, 1
    summary = summarise(np.zeros(3, int), PROBABILITIES[:3], counts)
    assert (summary["dice_median_benign"], summary["dice_median"]) == (1, 1)
    assert summary["dice_benign"] == pytest.approx(2 / 3)


def test_images_in_another_order_give_the_same():
    order = np.array([2, 0, 3, 1])
    moved = PixelCounts(*(count[order] for count in COUNTS))
    assert summarise(LABELS[order], PROBABILITIES[order], moved) == pytest.approx(
        summarise(LABELS, PROBABILITIES, COUNTS)
    )


def test_absent_class_is_nan():
    summary = summarise(LABELS[:3], PROBABILITIES[:3], PixelCounts(*(c[:3] for c in COUNTS)))
    undefined = {name for name, value in summary.items() if np.isnan(value)}
    of_normal = {name for name in NAMES if name.endswith("_normal")} - {"n_normal"}
    assert undefined == of_normal | {"auc_macro"}
    assert summary["n_normal"] == 0


def test_nothing_to_summarise_raises():
    with pytest.raises(ValueError, match="no images"):
        summarise(LABELS[:0], PROBABILITIES[:0], PixelCounts(*(c[:0] for c in COUNTS)))


def test_lengths_that_differ_raise():
    with pytest.raises(ValueError, match="3 labels"):
        summarise(LABELS[:3], PROBABILITIES, COUNTS)
