"""Grey levels in the manner of another image: the anatomy stays."""

import cv2
import numpy as np
import pytest

from busjax.config import Config
from busjax.data import pipeline
from busjax.data.augmentation import style
from busjax.data.readers.phantom import PhantomSource

SOURCE = PhantomSource(12, 0, 96)
IMAGE, OTHER = (SOURCE[index].image.astype(np.float32) / 255 for index in (0, 1))


class Most(np.random.Generator):
    """Draws the largest share and reach there is."""

    def __init__(self):
        super().__init__(np.random.PCG64(0))

    def uniform(self, low=0.0, high=1.0, size=None):
        return high


@pytest.mark.parametrize("change", [style.mix_amplitudes, style.match_histogram])
def test_it_is_an_image_that_lies_nearer_to_the_other(change):
    dark, wide = IMAGE * 0.4, cv2.resize(np.clip(OTHER * 0.5 + 0.4, 0, 1), (150, 80))
    changed = change(dark, wide, Most())
    assert changed.shape == dark.shape
    assert changed.dtype == np.float32
    assert 0 <= changed.min() <= changed.max() <= 1
    assert abs(changed.mean() - wide.mean()) < 0.2 * abs(dark.mean() - wide.mean())
    # The anatomy: edges stay where they were.
    edges = [cv2.Laplacian(cv2.GaussianBlur(x, (0, 0), 1.5), cv2.CV_32F) for x in (dark, changed)]
    assert np.corrcoef(edges[0].ravel(), edges[1].ravel())[0, 1] > 0.8


def test_an_image_in_its_own_manner_is_itself():
    rng = np.random.default_rng(0)
    np.testing.assert_allclose(style.mix_amplitudes(IMAGE, IMAGE, rng), IMAGE, atol=1e-5)
    np.testing.assert_allclose(style.match_histogram(IMAGE, IMAGE, rng), IMAGE, atol=0.02)


def test_only_low_frequencies_take_part():
    changed = style.mix_amplitudes(IMAGE * 0.5 + 0.2, OTHER * 0.5 + 0.2, Most())
    one, other = (np.fft.fftshift(np.abs(np.fft.fft2(x))) for x in (IMAGE * 0.5 + 0.2, changed))
    centre, reach = 48, round(0.05 * 96)
    outside = np.ones((96, 96), bool)
    outside[centre - reach : centre + reach + 1, centre - reach : centre + reach + 1] = False
    assert np.median(np.abs(one - other)[outside] / one[outside]) < 0.1  # clipping alone
    assert np.median(np.abs(one - other)[~outside] / one[~outside]) > 0.1


def test_the_order_of_grey_levels_stays():
    changed = style.match_histogram(IMAGE, OTHER, Most())
    order = np.argsort(IMAGE, axis=None, kind="stable")
    assert (np.diff(changed.ravel()[order]) >= -1e-6).all()
    np.testing.assert_allclose(
        np.quantile(changed, [0.1, 0.5, 0.9]), np.quantile(OTHER, [0.1, 0.5, 0.9]), atol=0.02
    )


def test_an_even_image_does_no_harm():
    black = np.zeros((40, 50), np.float32)
    for change in (style.mix_amplitudes, style.match_histogram):
        assert np.isfinite(change(black, OTHER, Most())).all()
        assert np.isfinite(change(OTHER, black, Most())).all()


@pytest.mark.parametrize("field", ["amplitudes", "histogram"])
def test_training_takes_other_images_of_its_own(field):
    def first(**augment):
        config = Config().but(
            data={"image_size": 32, "source": "phantom", "fit": "pad", "threads": 0},
            train={"batch_size": 12},
            augment={"flip_horizontal": 0.0, "affine": 0.0, "elastic": 0.0, **augment},
        )
        stream = pipeline.train_batches(SOURCE, SOURCE.ids, config, pipeline.Shard())
        return next(stream)

    plain, changed, again = first(), first(**{field: 1.0}), first(**{field: 1.0})
    np.testing.assert_array_equal(changed["image"], again["image"])
    np.testing.assert_array_equal(changed["mask"], plain["mask"])
    assert np.abs(changed["image"] - plain["image"]).max() > 0.05
    assert not (changed["image"] * (1 - changed["inside"])).any()
