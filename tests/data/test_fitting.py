"""Images of any proportions in a square, and masks back from it."""

import numpy as np
import pytest

from busjax.config import Config
from busjax.data import fitting, pipeline
from busjax.data.augmentation.transforms import augment
from busjax.data.fitting import PAD, STRETCH, Area
from busjax.data.pixels import resize
from busjax.data.records import Record
from busjax.data.resized import Resized

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("shape", "fit", "area"),
    [
        ((40, 80), PAD, Area(0, 4, 16, 12)),
        ((80, 40), PAD, Area(4, 0, 12, 16)),
        ((30, 30), PAD, Area(0, 0, 16, 16)),
        ((1, 1000), PAD, Area(0, 7, 16, 8)),  # at least one pixel
        ((50, 80), PAD, Area(0, 3, 16, 13)),
        ((40, 80), STRETCH, Area(0, 0, 16, 16)),
    ],
)
def test_places(shape, fit, area):
    assert fitting.place(shape, 16, fit) == area


def test_stretched_images_are_resized_as_ever():
    image = RNG.integers(0, 256, (30, 50), np.uint8)
    area = fitting.place(image.shape, 16, STRETCH)
    np.testing.assert_array_equal(fitting.fit_image(image, area, 16), resize(image, 16, 16))


@pytest.mark.parametrize("fit", [PAD, STRETCH])
@pytest.mark.parametrize("shape", [(30, 50), (77, 20), (16, 16)])
def test_a_mask_comes_back_to_where_it_was(shape, fit):
    mask = np.zeros(shape, np.uint8)
    mask[shape[0] // 4 : shape[0] // 2, shape[1] // 3 : 2 * shape[1] // 3] = 1
    area = fitting.place(shape, 64, fit)
    square = fitting.fit_mask(mask, area, 64)
    assert not (square & ~fitting.inside(area, 64).astype(bool)).any()
    found = fitting.back(square.astype(np.float32), area, *shape) >= 0.5
    assert (found & mask.astype(bool)).sum() / (found | mask.astype(bool)).sum() > 0.9


def test_a_lesion_never_vanishes():
    mask = np.zeros((300, 100), np.uint8)
    mask[150, 50] = 1
    assert fitting.fit_mask(mask, fitting.place(mask.shape, 16, PAD), 16).sum() >= 1


class Wide:
    """Six images of 20 x 40, bright everywhere."""

    ids = tuple("abcdef")
    labels = np.array([0, 1, 2] * 2, np.int32)

    def __getitem__(self, index):
        image = np.full((20, 40), 100 + index, np.uint8)
        mask = np.zeros((20, 40), np.uint8)
        mask[5:15, 10:30] = index % 3 != 2
        return Record(self.ids[index], image, mask, int(self.labels[index]), self.ids[index])


def test_what_lies_around_an_image_stays_black_and_counts_nowhere():
    config = Config().but(
        data={"image_size": 16, "fit": "pad", "threads": 0}, train={"batch_size": 3}
    )
    source = Wide()
    batches = pipeline.train_batches(source, source.ids, config, pipeline.Shard())
    around = np.ones((16, 16), bool)
    around[4:12] = False
    for _ in range(4):
        batch = next(batches)
        assert batch["inside"].shape == (3, 16, 16, 1)
        np.testing.assert_array_equal(
            batch["inside"][..., 0], np.broadcast_to(~around, (3, 16, 16))
        )
        assert not batch["image"][:, around].any()
        assert not batch["mask"][:, around].any()
        assert (batch["image"][:, ~around] > 0).all()  # no wedge is warped into it
    resized = Resized(source, source.ids, 16, "pad")
    (batch,) = pipeline.eval_batches(resized, config, pipeline.Shard())
    assert batch["inside"][:6].sum() == 6 * 8 * 16
    assert not batch["inside"][6:].any()  # what only fills the batch up


def test_the_image_alone_is_augmented():
    image, mask = RNG.random((8, 16), np.float32), np.ones((8, 16), np.uint8)
    changed, _ = augment(image, mask, np.random.default_rng(3), Config().augment)
    assert changed.shape == (8, 16)


def test_stretched_batches_do_not_say_what_is_inside():
    config = Config().but(data={"image_size": 16, "threads": 0}, train={"batch_size": 3})
    batch = next(pipeline.train_batches(Wide(), Wide.ids, config, pipeline.Shard()))
    assert "inside" not in batch
