"""What is drawn over an image: bright or black, never over the whole of it, never on the mask."""

import numpy as np
import pytest

from busjax.config import Augment
from busjax.data.augmentation import overlays
from busjax.data.augmentation.transforms import augment

IMAGE = np.full((96, 128), 0.4, np.float32)
NOTHING = np.zeros(IMAGE.shape, np.uint8)


def lesion(top=40, left=50, height=30, width=40):
    mask = NOTHING.copy()
    mask[top : top + height, left : left + width] = 1
    return mask


def drawn(kind, mask=NOTHING, seed=0):
    image = IMAGE.copy()
    kind(image, mask, np.random.default_rng(seed))
    return image


@pytest.mark.parametrize("kind", [overlays._text, overlays._calipers, overlays._ruler])
def test_marks_are_bright_and_thin(kind):
    changed = []
    for seed in range(20):
        image = drawn(kind, seed=seed)
        marks = np.abs(image - IMAGE) > 0.01
        changed.append(marks.mean())
        assert image[marks].min() > 0.4
        assert image.max() <= 1
    assert 0 < np.mean(changed) < 0.1


def test_a_ruler_is_along_one_side():
    for seed in range(10):
        columns = np.flatnonzero((drawn(overlays._ruler, seed=seed) != IMAGE).any(0))
        assert columns.max() < 5 or columns.min() > IMAGE.shape[1] - 6


@pytest.mark.parametrize("mask", [lesion(), lesion(0, 0, 20, 30), lesion(60, 100, 36, 28)])
def test_a_border_is_black_and_leaves_the_lesion_free(mask):
    n_black = []
    for seed in range(40):
        image = drawn(overlays._border, mask, seed)
        assert set(np.unique(image)) <= {np.float32(0), np.float32(0.4)}
        assert (image[mask > 0] > 0).all()
        n_black.append((image == 0).mean())
    assert 0.02 < np.mean(n_black) < 0.3


def test_every_kind_is_drawn_now_and_then():
    images = [overlays.draw(IMAGE, NOTHING, np.random.default_rng(seed)) for seed in range(60)]
    assert (IMAGE == 0.4).all()  # the given image stays as it is
    assert all(image.shape == IMAGE.shape and image.dtype == np.float32 for image in images)
    has_black = [bool((image == 0).any()) for image in images]
    has_bright = [bool((image > 0.5).any()) for image in images]
    assert 10 < sum(has_black) < 50
    assert sum(has_bright) > 40


def test_only_as_often_as_it_is_asked_for(rng):
    names = "flip_horizontal affine elastic speckle blur brightness contrast gamma"
    plain = Augment(**dict.fromkeys(names.split(), 0.0), overlay=0.3)
    changed = []
    for _ in range(300):
        image, _ = augment(IMAGE, lesion(), rng, plain)
        changed.append((np.abs(image - IMAGE) > 0.01).any())
    assert np.mean(changed) == pytest.approx(0.3, abs=0.09)


def test_without_it_nothing_else_is_drawn():
    one, other = (
        augment(IMAGE, lesion(), np.random.default_rng(3), Augment(**fields))
        for fields in ({}, {"overlay": 0.0})
    )
    np.testing.assert_array_equal(one[0], other[0])
