"""Counts and overlaps against values by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics

from busjax.metrics import segmentation
from busjax.metrics.segmentation import PixelCounts

MEASURES = ("dice", "iou", "precision", "recall")


def test_counts_by_hand():
    prediction = np.array([[[1, 1, 0], [0, 1, 0]], [[0, 0, 0], [0, 0, 0]]], bool)
    target = np.array([[[1, 0, 1], [1, 1, 0]], [[0, 0, 0], [0, 0, 1]]], bool)
    counts = segmentation.count_pixels(prediction, target)
    assert [count.tolist() for count in counts] == [[2, 0], [1, 0], [2, 1], [1, 5]]
    assert all(count.dtype == np.int64 for count in counts)


def test_measures_by_hand():
    counts = PixelCounts(*(np.array([n], np.int64) for n in (6, 2, 4, 88)))
    assert segmentation.dice(counts) == pytest.approx([12 / 18])
    assert segmentation.iou(counts) == pytest.approx([6 / 12])
    assert segmentation.precision(counts) == pytest.approx([6 / 8])
    assert segmentation.recall(counts) == pytest.approx([6 / 10])


@pytest.mark.parametrize("measure", MEASURES)
def test_empty_masks(measure):
    """Both empty: 1; only the prediction empty: 0; only the target empty: 0."""
    counts = PixelCounts(*np.array([[0, 0, 0, 9], [0, 0, 4, 5], [0, 4, 0, 5]]).T)
    assert getattr(segmentation, measure)(counts).tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("measure", "reference"),
    [
        ("dice", metrics.f1_score),
        ("iou", metrics.jaccard_score),
        ("precision", metrics.precision_score),
        ("recall", metrics.recall_score),
    ],
)
def test_measures_agree_with_scikit_learn(measure, reference):
    rng = np.random.default_rng(0)
    prediction, target = rng.random((2, 12, 9, 7)) < 0.4
    values = getattr(segmentation, measure)(segmentation.count_pixels(prediction, target))
    expected = [reference(t.ravel(), p.ravel()) for p, t in zip(prediction, target, strict=True)]
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, expected, rtol=1e-12)


def test_large_int32_counts_do_not_overflow():
    counts = PixelCounts(*(np.array([n], np.int32) for n in (2_000_000_000, 0, 0, 0)))
    assert segmentation.dice(counts).tolist() == [1.0]


@pytest.mark.parametrize("shape", [(4, 4), (2, 4, 5), (2, 4, 4, 1)])
def test_other_shapes_raise(shape):
    with pytest.raises(ValueError, match="masks expected"):
        segmentation.count_pixels(np.zeros(shape, bool), np.zeros((2, 4, 4), bool))
