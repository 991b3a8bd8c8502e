"""Lesions that are covered by the tissue beside them, and tissue covered likewise."""

import numpy as np
import pytest

from busjax.config import Augment, Config
from busjax.data.augmentation import erasure
from busjax.errors import UserError
from tests.data.augmentation.batches import batches

HEIGHT, WIDTH = 40, 200


def image_of(left, right):
    """Columns that tell their number, black where the lesion is; and its mask."""
    image = np.tile(np.arange(1, WIDTH + 1, dtype=np.uint8), (HEIGHT, 1))
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[10:20, left:right] = 1
    image[:, left:right] = 0
    return image, mask


@pytest.mark.parametrize(("left", "right"), [(90, 110), (0, 30), (170, 200), (40, 140)])
def test_the_columns_of_a_lesion_show_the_tissue_beside_it(left, right):
    image, mask = image_of(left, right)
    for seed in range(20):
        filled = erasure.lesion(image, mask, np.random.default_rng(seed))
        assert (filled > 0).all()
        margin = 4  # 2 % of the width
        kept = np.r_[0 : max(0, left - margin), min(WIDTH, right + margin) : WIDTH]
        np.testing.assert_array_equal(filled[:, kept], image[:, kept])
        # Where a filling begins it goes on from its neighbour: mirrored, it has no step there.
        steps = np.abs(np.diff(filled[0].astype(int)))
        if left > 4:
            assert steps[left - margin - 1] <= 2
        if right < WIDTH - 4:
            assert steps[right + margin - 1] <= 2


def test_both_sides_are_taken_from():
    image, mask = image_of(90, 110)
    middles = [erasure.lesion(image, mask, np.random.default_rng(s))[0, 100] for s in range(40)]
    assert min(middles) < 90
    assert max(middles) > 110


def test_a_lesion_as_wide_as_the_image_stays():
    image, mask = image_of(10, 190)
    assert erasure.lesion(image, mask, np.random.default_rng(0)) is None
    assert erasure.beside(image, mask, np.random.default_rng(0)) is None


def test_beside_a_lesion_as_much_is_covered_and_nothing_of_it():
    image, mask = image_of(60, 90)
    sides = set()
    for seed in range(40):
        filled = erasure.beside(image, mask, np.random.default_rng(seed))
        changed = np.flatnonzero((filled != image).any(0))
        assert not mask[:, changed].any()
        np.testing.assert_array_equal(filled[:, 60:90], image[:, 60:90])
        assert 0.1 * WIDTH < changed[-1] - changed[0] + 1 <= 0.5 * WIDTH
        sides.add(changed[0] > 60)
        inside = np.delete(filled, np.arange(56, 94), axis=1)
        assert (inside > 0).all(), "the lesion was copied"
    assert sides == {False, True}


def test_an_image_without_lesion_is_covered_anywhere():
    image, mask = image_of(0, 0)
    starts = []
    for seed in range(40):
        filled = erasure.beside(image, mask, np.random.default_rng(seed))
        starts.append(np.flatnonzero((filled != image).any(0))[0])
    assert max(starts) - min(starts) > WIDTH // 3


def test_what_has_lost_its_lesion_is_labelled_normal():
    labels = []
    for batch in batches(9, erase_lesion=0.6, erase_beside=0.2):
        np.testing.assert_array_equal(batch["label"] != 2, batch["mask"].any((1, 2, 3)))
        assert not (batch["image"] * (1 - batch["inside"])).any()
        labels += batch["label"].tolist()
    plain = np.concatenate([batch["label"] for batch in batches(9)])
    assert np.mean(np.array(labels) == 2) > np.mean(plain == 2) + 0.15


def test_tissue_beside_leaves_mask_and_label():
    one, other = (
        batches(3, affine=0.0, elastic=0.0),
        batches(3, affine=0.0, elastic=0.0, erase_beside=1.0),
    )
    changed = 0
    for plain, covered in zip(one, other, strict=True):
        np.testing.assert_array_equal(np.sort(plain["label"]), np.sort(covered["label"]))
        changed += int((plain["image"] != covered["image"]).any((1, 2, 3)).sum())
    assert changed > 12


def test_without_them_nothing_else_is_drawn():
    one, other = batches(1), batches(1, erase_lesion=0.0, erase_beside=0.0)
    np.testing.assert_array_equal(one[0]["image"], other[0]["image"])


def test_more_than_one_together_is_refused():
    with pytest.raises(UserError, match=r"erase_lesion=0\.7 and .*erase_beside=0\.4"):
        Config().but(augment={"erase_lesion": 0.7, "erase_beside": 0.4})
    assert Augment(erase_lesion=0.6, erase_beside=0.4)
