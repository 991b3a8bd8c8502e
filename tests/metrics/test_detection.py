"""Lesions found: by hand, and so that as many as can be are paired."""

import itertools

import numpy as np
import pytest
from skimage.measure import label

from busjax.metrics import detection


def lesions(prediction, target, **options):
    found = detection.lesions(np.asarray(prediction)[None], np.asarray(target)[None], **options)
    return tuple(int(values[0]) for values in found)


def test_by_hand():
    target = np.zeros((10, 10), bool)
    target[1:5, 1:5] = target[6:9, 6:9] = True
    assert lesions(target, target) == (2, 2, 0)
    assert lesions(np.zeros_like(target), target) == (2, 0, 0)
    assert lesions(target, np.zeros_like(target)) == (0, 0, 2)
    assert lesions(np.zeros_like(target), np.zeros_like(target)) == (0, 0, 0)
    half = target.copy()
    half[1:3, 1:5] = False  # 8 of 16 pixels: an overlap of exactly one half
    assert lesions(half, target) == (2, 2, 0)
    assert lesions(half, target, overlap=0.51) == (2, 1, 1)
    one = target.copy()
    one[5, 5] = True  # corners join the two: 26 pixels, of which one lesion is 16
    assert lesions(one, target) == (2, 1, 0)


def test_it_pairs_as_many_as_can_be(rng):
    """Beside every pairing of the parts that scikit-image finds."""
    for _ in range(60):
        prediction, target = rng.random((2, 6, 6)) < 0.4
        ours, theirs = label(prediction, connectivity=2), label(target, connectivity=2)
        enough = np.array(
            [
                [
                    np.sum((theirs == t) & (ours == p)) >= 0.3 * np.sum((theirs == t) | (ours == p))
                    for p in range(1, ours.max() + 1)
                ]
                for t in range(1, theirs.max() + 1)
            ]
        ).reshape(theirs.max(), ours.max())
        small, large = sorted((enough, enough.T), key=len)[:2]
        best = max(
            (
                sum(small[i, j] for i, j in enumerate(order))
                for order in itertools.permutations(range(len(large)), len(small))
            ),
            default=0,
        )
        assert lesions(prediction, target, overlap=0.3) == (theirs.max(), best, ours.max() - best)


def test_other_shapes_raise():
    with pytest.raises(ValueError, match=r"two .N, H, W. masks expected"):
        detection.lesions(np.ones((1, 4, 4)), np.ones((2, 4, 4)))
