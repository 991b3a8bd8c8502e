import json

import numpy as np
import pytest

from busjax.data.splits import (
    Split,
    check,
    draw_fold,
    draw_folds,
    draw_split,
    gaps,
    provenance,
    read,
    save,
)
from busjax.errors import UserError


def grouped_images(seed, n=400):
    """Images of three classes, 0.55 : 0.27 : 0.18, in groups of up to 7, some over two classes."""
    rng = np.random.default_rng(seed)
    ids = [f"image {i}" for i in range(n)]
    labels = rng.choice(3, n, p=[0.55, 0.27, 0.18])
    sizes = rng.choice([1, 2, 3, 7], n, p=[0.7, 0.2, 0.08, 0.02])
    owner = np.repeat(np.arange(n), sizes)[:n]
    by_class = np.argsort(labels, kind="stable")  # neighbours share a class, save at two borders
    groups = np.empty(n, object)
    groups[by_class] = [f"group {i}" for i in owner]
    return ids, labels, groups.tolist()


def counts(part, ids, labels):
    position = {id: i for i, id in enumerate(ids)}
    return np.bincount([labels[position[id]] for id in part], minlength=3)


@pytest.mark.parametrize("seed", range(30))
def test_split_is_complete_grouped_and_stratified(seed):
    ids, labels, groups = grouped_images(seed)
    split = draw_split(ids, labels, groups, 0.15, 0.2, seed)
    assert sorted(split.train + split.validation + split.test) == sorted(ids)
    check(split, ids, groups)
    total = np.bincount(labels)
    for part, fraction in ((split.train, 0.65), (split.validation, 0.15), (split.test, 0.2)):
        assert np.abs(counts(part, ids, labels) - fraction * total).max() <= 3
        assert abs(len(part) - fraction * len(ids)) <= 5
    for part in (split.train, split.validation, split.test):
        assert list(part) == sorted(part, key=ids.index)


@pytest.mark.parametrize("seed", range(10))
def test_folds_are_complete_grouped_and_stratified(seed):
    ids, labels, groups = grouped_images(seed)
    folds = draw_folds(ids, labels, groups, 5, seed)
    assert sorted(sum(folds, ())) == sorted(ids)
    group_of = dict(zip(ids, groups, strict=True))
    fold_groups = [{group_of[id] for id in fold} for fold in folds]
    assert sum(map(len, fold_groups)) == len(set(groups))
    for fold in folds:
        assert np.abs(counts(fold, ids, labels) - np.bincount(labels) / 5).max() <= 3


@pytest.mark.parametrize("seed", range(5))
def test_a_fold_is_tested_once_and_its_validation_part_comes_from_the_others(seed):
    ids, labels, groups = grouped_images(seed)
    folds = draw_folds(ids, labels, groups, 5, seed)
    for index, fold in enumerate(folds):
        split = draw_fold(ids, labels, groups, 5, index, 0.15, seed)
        assert split.test == fold
        assert sorted(split.train + split.validation + split.test) == sorted(ids)
        check(split, ids, groups)
        for part, fraction in ((split.train, 0.65), (split.validation, 0.15)):
            assert np.abs(counts(part, ids, labels) - fraction * np.bincount(labels)).max() <= 4
            assert list(part) == sorted(part, key=ids.index)


def test_a_validation_part_that_leaves_nothing_to_train_on():
    ids, labels, groups = grouped_images(0)
    with pytest.raises(UserError, match=r"validation_fraction=0\.5 and a test fold of one in 2"):
        draw_fold(ids, labels, groups, 2, 0, 0.5, 0)


def test_large_groups_do_not_pile_up_in_the_training_part():
    ids = [f"image {i}" for i in range(120)]
    groups = [f"pair {i // 2}" for i in range(80)] + ids[80:]
    split = draw_split(ids, np.zeros(120, int), groups, 0.25, 0.25, 0)
    pairs = [sum(int(id.split()[1]) < 80 for id in part) // 2 for part in split.parts().values()]
    assert pairs == [20, 10, 10]


def test_split_depends_on_the_seed_alone():
    ids, labels, groups = grouped_images(0)
    draws = [draw_split(ids, labels, groups, 0.15, 0.2, seed) for seed in (0, 0, 1)]
    assert draws[0] == draws[1]
    overlap = set(draws[0].test) & set(draws[2].test)
    assert len(overlap) < 0.5 * len(draws[0].test)


def test_a_group_over_all_classes_stays_whole():
    ids = [f"image {i}" for i in range(30)]
    labels = np.arange(30) % 3
    groups = ["mixed"] * 6 + ids[6:]
    split = draw_split(ids, labels, groups, 0.2, 0.2, 3)
    assert sum(bool(set(ids[:6]) & set(part)) for part in split.parts().values()) == 1
    assert [len(part) for part in split.parts().values()] == [18, 6, 6]


def test_a_part_may_be_empty_only_where_asked_for():
    ids, labels, groups = grouped_images(0)
    assert draw_split(ids, labels, groups, 0.0, 0.2, 0).validation == ()
    three = ["a", "b", "c"]  # one image a class, and still one image a part
    split = draw_split(three, np.arange(3), three, 0.15, 0.2, 0)
    assert [len(part) for part in split.parts().values()] == [1, 1, 1]
    with pytest.raises(UserError, match="2 groups of images are too few for 3 parts"):
        draw_split(three, np.arange(3), ["a", "b", "b"], 0.15, 0.2, 0)
    with pytest.raises(UserError, match="3 groups of images are too few for 4 parts"):
        draw_folds(three, np.arange(3), three, 4, 0)


@pytest.mark.parametrize("fractions", [(-0.1, 0.2), (0.5, 0.5), (0.7, 0.3), (0.0, 1.0)])
def test_bad_fractions(fractions):
    with pytest.raises(UserError, match="nothing to train on"):
        draw_split(["a", "b"], np.zeros(2, int), ["a", "b"], *fractions, 0)


def test_one_fold():
    with pytest.raises(UserError, match="at least 2"):
        draw_folds(["a", "b"], np.zeros(2, int), ["a", "b"], 1, 0)


def test_save_and_read(tmp_path):
    split = Split(("a", "b"), ("c",), ())
    path = tmp_path / "run" / "split.json"
    save(split, path, source="phantom", seed=3)
    assert read(path) == split
    assert json.loads(path.read_text())["provenance"] == {"source": "phantom", "seed": 3}
    save(split, path, description="phantoms: no patients; no BUSI data was found: x")
    assert provenance(path) == {"description": "phantoms: no patients"}  # as saved earlier


@pytest.mark.parametrize(
    "text", ["", "[1]", '{"train": []}', '{"train": 1, "validation": [], "test": []}']
)
def test_reading_something_else(tmp_path, text):
    (tmp_path / "split.json").write_text(text)
    with pytest.raises(UserError, match="cannot be read"):
        read(tmp_path / "split.json")
    with pytest.raises(UserError, match="cannot be read"):
        read(tmp_path / "absent.json")


IDS, GROUPS = ["a", "b", "c", "d"], ["g", "g", "h", "i"]


def test_check_passes():
    check(Split(("a", "b"), ("c",), ("d",)), IDS, GROUPS)
    check(Split(("a",), (), ("d",)), IDS, GROUPS)  # a split of fewer images is no leak


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (Split(("a",), ("b",), ("c",)), "group 'g' is in both train and validation"),
        (Split(("a",), ("c",), ("b",)), "group 'g' is in both train and test"),
        (Split(("c",), ("d",), ("c",)), "image 'c' is in both train and test"),
        (Split(("c", "c"), ("d",), ()), "image 'c' is in train twice"),
        (Split(("a", "x"), ("c",), ()), "'x' in train, which the data lacks"),
    ],
)
def test_check_finds_leaks(split, message):
    with pytest.raises(UserError, match=message):
        check(split, IDS, GROUPS)


def test_what_parts_lack_is_told():
    class Source:
        ids, labels = tuple("abcdef"), np.array([0, 0, 0, 1, 1, 2])

    whole = Split(("a", "d", "f"), ("b", "e"), ("c",))
    lines = gaps({0: whole}, Source())
    assert [line.partition(" (")[0] for line in lines] == [
        "the split lacks normal images to validate on",
        "the split lacks malignant images to test on",
        "the split lacks normal images to test on",
    ]
    other = Split(("a", "d", "f"), ("b", "e"), ("c", "e", "f"))
    lines = gaps({0: whole, 3: other}, Source())
    assert lines[0].startswith("folds 0, 3 lack normal images to validate on (there are 1 ")
    assert lines[1].startswith("fold 0 lacks malignant images to test on (there are 2 in all")
    Source.labels = np.zeros(6, int)  # a class that the set has not is told with the set
    assert gaps({0: whole}, Source()) == []
