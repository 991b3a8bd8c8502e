"""Distances of outlines: by hand, of empty masks, and beside MedPy (extra 'peers')."""

import numpy as np
import pytest

from busjax.metrics import boundary


def square(top, left, side, size=20):
    mask = np.zeros((size, size), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_by_hand():
    """Two single pixels, 3 across and 4 down: 5 apart either way."""
    a, b = square(2, 2, 1)[None], square(6, 5, 1)[None]
    found = boundary.distances(a, b)
    assert found.hausdorff95.tolist() == found.average.tolist() == [5.0]
    # A square of 5 and the same with one pixel 3 away from its edge: of 16 + 17 distances one is 3.
    c = square(5, 5, 5)
    d = c.copy()
    d[7, 12] = True
    found = boundary.distances(d[None], c[None])
    assert found.average.tolist() == [pytest.approx(3 / 33)]
    assert found.hausdorff95.tolist() == [pytest.approx(0)]


def test_equal_masks_and_empty_ones():
    full, empty = square(3, 4, 6), np.zeros((20, 20), bool)
    found = boundary.distances(
        np.stack([full, full, empty, empty]), np.stack([full, empty, full, empty])
    )
    for values in found:
        assert values[0] == 0
        assert np.isnan(values[1:]).all()
    assert all(len(values) == 0 for values in boundary.distances(*np.zeros((2, 0, 4, 4), bool)))


def test_other_shapes_raise():
    with pytest.raises(ValueError, match=r"two .N, H, W. masks expected"):
        boundary.distances(np.ones((4, 4)), np.ones((4, 4)))
    with pytest.raises(ValueError, match=r"two .N, H, W. masks expected"):
        boundary.distances(np.ones((1, 4, 4)), np.ones((2, 4, 4)))


def test_it_agrees_with_medpy(rng):
    binary = pytest.importorskip("medpy.metric.binary", reason="needs the extra 'peers'")
    masks = rng.random((2, 40, 13, 17)) < rng.uniform(0.02, 0.9, (1, 40, 1, 1))
    masks[:, 0] = True  # touches the border everywhere
    masks[:, :, 5, 5] = True  # none is empty
    found = boundary.distances(*masks)
    for index, (a, b) in enumerate(zip(*masks, strict=True)):
        assert found.hausdorff95[index] == pytest.approx(binary.hd95(a, b))
        assert found.average[index] == pytest.approx(binary.assd(a, b))
