import json

import numpy as np
import pytest

from busjax.config import Augment, Config, Data, Model, Train
from busjax.data.pipeline import Shard, eval_batches, steps_per_epoch, train_batches
from busjax.data.records import Record
from busjax.data.resized import Resized
from busjax.errors import UserError

KEYS = {"image", "mask", "label", "valid", "index"}


class FakeSource:
    """Images of one grey level each, 5 times their index; a square lesion unless normal."""

    name = "phantom"
    description = "fake"

    def __init__(self, labels):
        self.labels = np.array(labels, np.int32)
        self.ids = tuple(f"image {i}" for i in range(len(labels)))
        self.groups = self.ids

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, index):
        label = int(self.labels[index])
        mask = np.zeros((40, 60), np.uint8)
        mask[10:30, 10:30] = label != 2
        image = np.full((40, 60), 5 * index, np.uint8)
        return Record(self.ids[index], image, mask, label, self.groups[index])


SOURCE = FakeSource([0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 0])  # 8, 3, 2
WHOLE = Shard()


def config(seed=0, augmented=True, channels=1, **data):
    return Config(
        seed=seed,
        model=Model(image_channels=channels),
        data=Data(image_size=16, **data),
        augment=Augment(enabled=augmented),
        train=Train(batch_size=6, eval_batch_size=6),
    )


def train(
    count, ids=SOURCE.ids, shard=WHOLE, state=None, augmented=True, channels=1, seed=1, **data
):
    """The first batches of a training stream, as a list."""
    batches = train_batches(SOURCE, ids, config(seed, augmented, channels, **data), shard)
    if state is not None:
        batches.set_state(state)
    result = [next(batches) for _ in range(count)]
    batches.close()
    return result


def assert_equal(batches, others):
    assert len(batches) == len(others)
    for batch, other in zip(batches, others, strict=True):
        assert batch.keys() == other.keys() == KEYS
        for key in KEYS:
            np.testing.assert_array_equal(batch[key], other[key])


def joined(parts):
    """Puts the batches of several processes together, one process after the other."""
    return [
        {key: np.concatenate([part[key] for part in step]) for key in KEYS}
        for step in zip(*parts, strict=True)
    ]


@pytest.mark.parametrize("channels", [1, 3])
def test_batches_have_the_promised_form(channels):
    (batch,) = train(1, channels=channels)
    assert batch.keys() == KEYS
    assert batch["image"].shape == (6, 16, 16, channels)
    assert batch["mask"].shape == (6, 16, 16, 1)
    assert batch["label"].shape == batch["valid"].shape == batch["index"].shape == (6,)
    assert [batch[key].dtype for key in ("image", "mask", "valid")] == [np.float32] * 3
    assert [batch[key].dtype for key in ("label", "index")] == [np.int32] * 2
    assert 0 <= batch["image"].min() <= batch["image"].max() <= 1
    assert set(np.unique(batch["mask"])) == {0, 1}
    assert (batch["valid"] == 1).all()
    np.testing.assert_array_equal(batch["image"], batch["image"][..., :1].repeat(channels, -1))


def test_image_mask_label_and_index_belong_together():
    ids = SOURCE.ids[::-1]
    for batch in train(4, ids=ids, augmented=False):
        position = len(ids) - 1 - batch["index"]
        np.testing.assert_allclose(batch["image"].mean((1, 2, 3)), position * 5 / 255, atol=1e-6)
        np.testing.assert_array_equal(batch["label"], SOURCE.labels[position])
        np.testing.assert_array_equal(batch["mask"].any((1, 2, 3)), batch["label"] != 2)


def test_an_epoch_is_each_image_once_across_the_borders_of_batches():
    stream = np.concatenate([batch["index"] for batch in train(13)])  # 6 epochs of 13 images
    epochs = stream.reshape(6, 13)
    np.testing.assert_array_equal(np.sort(epochs), np.tile(np.arange(13), (6, 1)))
    assert len({tuple(epoch) for epoch in epochs}) == 6  # each in an order of its own


def test_neighbouring_seeds_share_no_epoch():
    first = np.concatenate([batch["index"] for batch in train(13, seed=0)]).reshape(6, 13)
    second = np.concatenate([batch["index"] for batch in train(13, seed=1)]).reshape(6, 13)
    assert not {tuple(epoch) for epoch in first} & {tuple(epoch) for epoch in second}


def test_every_epoch_augments_anew():
    batches = train(13, ids=SOURCE.ids[1:])
    twelfth = [
        image.tobytes()
        for batch in batches
        for image, index in zip(batch["image"], batch["index"], strict=True)
        if index == 11
    ]
    assert len(twelfth) == len(set(twelfth)) > 5


@pytest.mark.parametrize("count", [2, 3])
def test_global_batches_do_not_depend_on_the_number_of_processes(count):
    parts = [train(5, shard=Shard(i, count)) for i in range(count)]
    assert all(len(batch["index"]) == 6 // count for part in parts for batch in part)
    assert_equal(joined(parts), train(5))


@pytest.mark.parametrize(
    "options", [{"threads": 0}, {"threads": 1}, {"threads": 3, "prefetch": 5}, {"prefetch": 0}]
)
def test_threads_change_nothing(options):
    assert_equal(train(6, **options), train(6))


@pytest.mark.parametrize("count", [1, 2])
def test_resumes_exactly(count):
    """Also with another number of processes than before."""
    batches = train_batches(SOURCE, SOURCE.ids, config(seed=1), WHOLE)
    for _ in range(4):
        next(batches)
    state = json.loads(json.dumps(batches.get_state()))
    batches.close()
    parts = [train(4, state=state, shard=Shard(i, count)) for i in range(count)]
    assert_equal(joined(parts), train(8)[4:])


def test_seeds_differ():
    first, second = train(1, seed=1)[0], train(1, seed=2)[0]
    assert not np.array_equal(first["index"], second["index"])


def test_oversampling_repeats_classes_by_whole_factors():
    stream = np.concatenate([batch["index"] for batch in train(11, oversample=True)])  # 66 = 3 * 22
    expected = [1] * 7 + [2] * 3 + [4] * 2 + [1]  # floor(8/8), floor(8/3), floor(8/2)
    for epoch in stream.reshape(3, 22):
        np.testing.assert_array_equal(np.bincount(epoch), expected)


def test_oversampling_counts_the_classes_of_the_given_ids():
    ids = SOURCE.ids[5:12]  # 2 benign, 3 malignant, 2 normal, each once
    assert steps_per_epoch(SOURCE, ids, config(oversample=True).data, 1) == 7
    assert steps_per_epoch(SOURCE, SOURCE.ids[:7], config(oversample=True).data, 1) == 7


def test_steps_per_epoch():
    assert steps_per_epoch(SOURCE, SOURCE.ids, config().data, 13) == 1
    assert steps_per_epoch(SOURCE, SOURCE.ids, config().data, 6) == 3
    assert steps_per_epoch(SOURCE, SOURCE.ids, config(oversample=True).data, 6) == 4


def evaluate(ids=SOURCE.ids, shard=WHOLE, channels=1):
    return list(eval_batches(Resized(SOURCE, ids, 16), config(channels=channels), shard))


def test_evaluation_is_in_order_and_padded():
    batches = evaluate()
    assert [len(batch["index"]) for batch in batches] == [6, 6, 6]
    valid = np.concatenate([batch["valid"] for batch in batches])
    np.testing.assert_array_equal(valid, [1] * 13 + [0] * 5)
    index = np.concatenate([batch["index"] for batch in batches])
    np.testing.assert_array_equal(index[:13], np.arange(13))
    images = np.concatenate([batch["image"] for batch in batches])
    np.testing.assert_allclose(images[:13].mean((1, 2, 3)), np.arange(13) * 5 / 255, atol=1e-6)
    for batch in batches:
        assert batch["image"].shape == (6, 16, 16, 1)
        for key in ("image", "mask", "label"):
            assert not batch[key][batch["valid"] == 0].any()
        assert batch["image"].dtype == batch["mask"].dtype == batch["valid"].dtype == np.float32
        assert batch["label"].dtype == batch["index"].dtype == np.int32


@pytest.mark.parametrize("count", [2, 3, 6])
def test_evaluation_by_several_processes(count):
    parts = [evaluate(shard=Shard(i, count)) for i in range(count)]
    assert {len(part) for part in parts} == {3}
    assert_equal(joined(parts), evaluate())


def test_evaluation_can_be_repeated_and_has_no_padding_where_it_fits():
    batches = eval_batches(Resized(SOURCE, SOURCE.ids[:12], 16), config(threads=0), WHOLE)
    assert_equal(list(batches), list(batches))
    assert [batch["valid"].sum() for batch in batches] == [6, 6]
    assert evaluate(channels=3)[0]["image"].shape == (6, 16, 16, 3)
    assert evaluate(ids=()) == []


def test_unusable_arguments():
    with pytest.raises(UserError, match="5 images to train on are fewer than a batch of 6"):
        train(1, ids=SOURCE.ids[:5])
    with pytest.raises(UserError, match="6 images cannot be shared equally by 4 processes"):
        train(1, shard=Shard(0, 4))
    with pytest.raises(UserError, match="shared equally"):
        evaluate(shard=Shard(0, 4))
    with pytest.raises(UserError, match=r"lacks images asked for \(1 of 2\), such as 'image 99'"):
        evaluate(ids=("image 1", "image 99"))


class OneRecord(FakeSource):
    """A source of a single given image and mask."""

    def __init__(self, image, mask):
        super().__init__([0])
        self._record = Record("image 0", image, mask, 0, "image 0")

    def __getitem__(self, index):
        return self._record


def resized(image, mask, size):
    result = Resized(OneRecord(image, mask), ["image 0"], size)
    return result.images[0], result.masks[0]


def test_shrinking_averages():
    image = np.kron([[10, 20], [30, 40]], np.ones((2, 4))).astype(np.uint8)
    image[0, 0] += 8
    mask = np.zeros((4, 8), np.uint8)
    mask[:2, :3] = 1  # 3/4 of a pixel
    mask[2:, 4:5] = 1  # 1/4
    small, small_mask = resized(image, mask, 2)
    np.testing.assert_array_equal(small, [[11, 20], [30, 40]])
    np.testing.assert_array_equal(small_mask, [[1, 0], [0, 0]])


@pytest.mark.parametrize("shape", [(300, 200), (300, 10), (10, 300), (9, 7)])
def test_the_smallest_lesion_survives(shape):
    for row, column in ((0, 0), (shape[0] // 2, shape[1] // 3), (shape[0] - 1, shape[1] - 1)):
        mask = np.zeros(shape, np.uint8)
        mask[row, column] = 1
        _, small = resized(mask, mask, 16)
        assert small.any()
        y, x = np.nonzero(small)  # and stays in its place
        assert abs(y.mean() / 16 - row / shape[0]) < 0.1
        assert abs(x.mean() / 16 - column / shape[1]) < 0.1
    assert not resized(mask, np.zeros_like(mask), 16)[1].any()


def test_enlarging_keeps_the_area():
    mask = np.zeros((20, 20), np.uint8)
    mask[5:15, 5:15] = 1
    image, large = resized(mask * 200, mask, 64)
    assert abs(large.mean() - 0.25) < 0.02
    assert image.max() == 200


class Uneven(FakeSource):
    """Set a: nine of class 0, three of class 1; set b: two of class 0."""

    def __init__(self):
        super().__init__([0] * 9 + [1] * 3 + [0] * 2)

    sets = ("a",) * 12 + ("b",) * 2


@pytest.mark.parametrize(
    ("balance", "strata"),
    [
        ("class", [range(9), range(12, 14), range(9, 12)]),
        ("set", [range(12), range(12, 14)]),
        ("set_class", [range(9), range(9, 12), range(12, 14)]),
    ],
)
def test_what_is_balanced_is_drawn_equally_often(balance, strata):
    config = Config().but(
        data={"image_size": 16, "balance": balance, "threads": 0}, train={"batch_size": 6}
    )
    source = Uneven()
    if balance == "class":
        strata = [[*range(9), *range(12, 14)], range(9, 12)]
    batches = train_batches(source, source.ids, config, Shard())
    drawn = np.concatenate([next(batches)["index"] for _ in range(36)])
    counts = np.bincount(drawn, minlength=14)
    shares = [counts[list(stratum)] for stratum in strata]
    totals = [share.sum() for share in shares]
    assert max(totals) - min(totals) <= 1
    for share in shares:  # and of each stratum every image as often as the others
        assert share.max() - share.min() <= 1
    again = train_batches(source, source.ids, config, Shard())
    np.testing.assert_array_equal(drawn, np.concatenate([next(again)["index"] for _ in range(36)]))
    halves = [train_batches(source, source.ids, config, Shard(part, 2)) for part in (0, 1)]
    joined = np.concatenate([next(half)["index"] for _ in range(5) for half in halves])
    np.testing.assert_array_equal(joined, drawn[:30])


def test_a_balanced_run_goes_on_where_it_was():
    config = Config().but(
        data={"image_size": 16, "balance": "set", "threads": 0}, train={"batch_size": 4}
    )
    source = Uneven()
    batches = train_batches(source, source.ids, config, Shard())
    for _ in range(7):
        next(batches)
    state = batches.get_state()
    expected = [next(batches)["index"].tolist() for _ in range(5)]
    again = train_batches(source, source.ids, config, Shard())
    again.set_state(state)
    assert [next(again)["index"].tolist() for _ in range(5)] == expected
