"""The largest parts of a mask stay, whole."""

import numpy as np
import pytest
from skimage.measure import label

from busjax.components import largest


def test_by_hand():
    mask = np.zeros((8, 8), bool)
    mask[0, 0] = mask[1, 1] = True  # a corner joins them: 2 pixels
    mask[3:5, 3:5] = True  # 4
    mask[7, 5:8] = True  # 3
    assert largest(mask, 0).sum() == 9
    one = largest(mask, 1)
    assert one.sum() == 4
    assert one[3:5, 3:5].all()
    assert largest(mask, 2).sum() == 7
    np.testing.assert_array_equal(largest(mask, 3), mask)
    np.testing.assert_array_equal(largest(mask, 9), mask)
    assert largest(np.zeros((4, 4), bool), 1).sum() == 0


def test_of_two_of_one_size_one_is_kept():
    mask = np.eye(5, dtype=bool)
    mask[1, 1] = mask[3, 3] = False
    kept = largest(mask, 1)
    assert kept.sum() == 1
    assert kept[0, 0]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_beside_scikit_image(rng, count):
    for _ in range(20):
        mask = rng.random((20, 20)) < 0.3
        parts = label(mask, connectivity=2)
        sizes = sorted(np.bincount(parts.ravel())[1:])[::-1]
        kept = largest(mask, count)
        assert kept.sum() == sum(sizes[:count])
        assert not (kept & ~mask).any()
        assert set(parts[kept]).isdisjoint(parts[mask & ~kept])
