"""Boxes, areas and diameters, worked out by hand."""

import numpy as np
import pytest

from busjax.inference import lesions
from busjax.inference.lesions import Box


def test_parts_are_found_largest_first():
    mask = np.zeros((10, 12), bool)
    mask[1:3, 2:4] = True
    mask[5:9, 4:11] = True
    mask[5, 4] = False
    (large, inside), (small, whole) = lesions.find(mask)
    assert small == Box(2, 1, 4, 3, 4)
    assert large == Box(4, 5, 11, 9, 27)
    assert inside.sum() == 27
    assert not inside[0, 0]
    assert whole.all()
    assert lesions.find(mask & False) == []


def test_a_neighbour_within_the_box_is_not_part_of_it():
    mask = np.zeros((5, 5), bool)
    mask[:, 0] = mask[4, :] = True  # an angle, with a lesion of its own in the corner
    mask[0:2, 3:5] = True
    (_, angle), (_, other) = lesions.find(mask)
    assert (angle.sum(), other.sum()) == (9, 4)


def test_corners_join():
    mask = np.eye(3, dtype=bool)
    ((box, _),) = lesions.find(mask)
    assert box == Box(0, 0, 3, 3, 3)


@pytest.mark.parametrize(
    ("part", "area", "longest", "shortest"),
    [
        (np.ones((1, 1), bool), 1, 2**0.5, 1),
        (np.ones((3, 4), bool), 12, 5, 3),
        (np.ones((1, 9), bool), 9, 82**0.5, 1),
        # A staircase along the diagonal: its strip lies along the diagonal.
        (np.eye(2, dtype=bool), 2, 8**0.5, 2**0.5),
    ],
)
def test_sizes_in_pixels(part, area, longest, shortest):
    size = lesions.measure(part)
    assert (size.area, size.longest, size.shortest) == pytest.approx((area, longest, shortest))


def test_sizes_in_millimetres_of_oblong_pixels():
    size = lesions.measure(np.ones((3, 4), bool), (0.2, 0.1))
    expected = (12 * 0.02, (0.6**2 + 0.4**2) ** 0.5, 0.4)
    assert (size.area, size.longest, size.shortest) == pytest.approx(expected)


def test_a_disc_has_one_diameter():
    y, x = np.mgrid[:101, :101] - 50
    size = lesions.measure(x**2 + y**2 <= 40**2)
    assert size.longest == pytest.approx(81, abs=0.7)
    assert size.shortest == pytest.approx(81, abs=0.7)
    assert size.area == pytest.approx(np.pi * 40**2, rel=0.01)
