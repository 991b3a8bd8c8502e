"""A set with further images for training alone: its own splits and scores stay."""

import numpy as np
import pytest
from etils import epath
from PIL import Image

from busjax import crossval
from busjax.config import Config, Data
from busjax.data import records, splits
from busjax.data.sources import open_source
from busjax.errors import UserError
from busjax.runs import configuration, results
from tests.evaluation.test_external import write_busi
from tests.small import SMALL


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("extended")
    for seed, (name, counts) in enumerate(
        {"own": (9, 8, 7), "other": (4, 3, 0), "third": (3, 0, 2)}.items()
    ):
        write_busi(root / name, seed, counts)
    write_busi(root / "copy" / "own", 5, (3, 3, 3))
    return root


def opened(place, **fields):
    return open_source(Data(**{"dir": "own", "source": "busi", **fields}), place)


@pytest.mark.parametrize("extra", ["other", "other,third"])
def test_the_own_images_stay_and_the_others_are_trained_on(place, extra):
    alone, source = opened(place), opened(place, extra=extra)
    further = records.training_only(source)
    assert source.ids[:24] == alone.ids
    assert source.groups[:24] == alone.groups
    assert further == set(source.ids[24:])
    assert "other/benign (1)" in further
    assert source.sets[:24] == ("own",) * 24
    assert set(source.sets[24:]) == set(extra.split(","))
    assert records.sets(source) is None  # one is tested on
    for index in (0, 23, 24, len(source) - 1):
        record = source[index]
        assert record.id == source.ids[index]
        assert record.group == source.groups[index]
        assert record.label == source.labels[index]
    np.testing.assert_array_equal(source[25].image, opened(place, dir="other")[1].image)
    with pytest.raises(IndexError):
        source[len(source)]


def test_validation_and_test_parts_are_those_without(place):
    data = Data(test_fraction=0.25)
    alone, source = opened(place), opened(place, extra="other")
    pairs = [(splits.first(data, alone), splits.first(data, source))]
    pairs += [
        (splits.fold(data, alone, 3, index, 0), splits.fold(data, source, 3, index, 0))
        for index in range(3)
    ]
    for plain, more in pairs:
        assert more.validation == plain.validation
        assert more.test == plain.test
        assert set(more.train) == {*plain.train, *records.training_only(source)}
        splits.check(more, source.ids, source.groups)


def test_a_given_split_is_trained_on_further_images_too(place):
    plain = splits.first(Data(), opened(place))
    path = epath.Path(place / "split.json")
    splits.save(plain, path)
    source = opened(place, extra="other")
    given = splits.first(Data(split_file=str(path)), source)
    assert (given.validation, given.test) == (plain.validation, plain.test)
    assert records.training_only(source) < set(given.train)
    splits.save(splits.Split(plain.train, plain.validation, ("other/benign (1)",)), path)
    with pytest.raises(UserError, match=r"split_file has 'other/benign \(1\)', an image of"):
        splits.first(Data(split_file=str(path)), source)


def test_sets_that_are_split_are_told_apart_still(place):
    source = opened(place, dir="own,third", extra="other")
    assert set(records.sets(source).values()) == {"own", "third"}


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("other,other", "config.data.extra names two folders 'other'"),
        ("other,", "config.data.extra='other,' has an empty part"),
        ("other,gone", "config.data.extra: '.*gone' does not exist"),
        ("gone", "gone' does not exist"),
    ],
)
def test_what_is_wrong_with_them_is_told(place, extra, message):
    with pytest.raises(UserError, match=message):
        opened(place, extra=extra)


def test_a_folder_of_the_same_name_is_refused(place):
    with pytest.raises(UserError, match=r"config.data.extra names a folder 'own' as"):
        opened(place, extra="copy/own")


@pytest.fixture(scope="module")
def config(place):
    return (
        Config()
        .but(**SMALL)
        .but(
            data={"source": "busi", "dir": str(place / "own"), "extra": str(place / "other")},
            cv={"folds": 2},
        )
    )


def test_a_cross_validation_tests_its_own_images_alone(place, config):
    folder = epath.Path(place / "cv")
    folder.mkdir()
    crossval.cross_validate(config.but(cv={"only": "1"}, data={"balance": "set_class"}), folder)
    fold = folder / "fold_1"
    split = splits.read(fold / splits.FILE)
    rows = results.read_rows(fold)
    assert [row.id for row in rows] == list(split.test)
    assert "<h2>By set</h2>" not in (fold / "report.html").read_text()
    digests = splits.provenance(fold / splits.FILE)["digests"]
    assert sum(id.startswith("other/") for id in split.train) == 7
    assert set(digests) > set(split.train)
    assert configuration.fields(fold)["data.extra"] == str(place / "other")
    assert "for training alone, BUSI: 7 images" in (fold / "MODEL_CARD.md").read_text()


@pytest.mark.parametrize("change", ["same", "larger", "mirrored", "brighter"])
def test_an_image_to_train_on_that_is_tested_on_is_refused(place, tmp_path, change):
    write_busi(tmp_path / "more", 7, (3, 2, 2))
    image = Image.open(place / "own" / "malignant" / "malignant (4).png")
    copy = {
        "same": lambda: image,
        "larger": lambda: image.resize((61, 53)),
        "mirrored": lambda: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "brighter": lambda: image.point(lambda level: level // 2 + 90),
    }[change]()
    copy.save(tmp_path / "more" / "benign" / "benign (2).png")
    mask = tmp_path / "more" / "benign" / "benign (2)_mask.png"
    Image.open(mask).resize(copy.size).save(mask)
    told = r"'more/benign \(2\)' shows what 'malignant \(4\)' of .* \(1 of its 7 images are such\)"
    with pytest.raises(UserError, match=told):
        opened(place, extra=str(tmp_path / "more"))


def test_even_images_are_no_copies_of_each_other(place, tmp_path):
    write_busi(tmp_path / "more", 7, (3, 2, 2))
    for name, folder in (("benign (2)", "benign"), ("normal (1)", "normal")):
        Image.fromarray(np.full((18, 20), 90, np.uint8)).save(
            tmp_path / "more" / folder / f"{name}.png"
        )
    assert len(opened(place, extra=str(tmp_path / "more"))) == 31
