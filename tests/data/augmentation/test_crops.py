"""Parts of images: without lesion on one of its sides, or with all of it, of the same sizes."""

import numpy as np
import pytest

from busjax.config import Augment
from busjax.data.augmentation import crops
from tests.data.augmentation.batches import batches

SHAPE = (180, 240)


def mask_with(top, left, height, width):
    mask = np.zeros(SHAPE, np.uint8)
    mask[top : top + height, left : left + width] = 1
    return mask


def draws(mask, normal=0.5, lesion=0.5, count=400):
    rng = np.random.default_rng(0)
    config = Augment(crop_normal=normal, crop_lesion=lesion)
    return [crops.draw(mask, rng, config) for _ in range(count)]


MASKS = {
    "middle": mask_with(70, 100, 40, 40),
    "left": mask_with(60, 0, 50, 30),
    "corner": mask_with(150, 200, 30, 40),
    "wide": mask_with(90, 20, 30, 200),
    "two": mask_with(60, 40, 20, 20) | mask_with(70, 150, 25, 30),
}


@pytest.mark.parametrize("name", MASKS)
def test_a_normal_part_shows_nothing_of_the_lesion_and_the_other_all_of_it(name):
    mask = MASKS[name]
    found = {crops.NORMAL_PART: 0, crops.LESION_PART: 0}
    for part, kind in draws(mask):
        found[kind] += 1
        inside = part.of(mask)
        assert inside.shape == part.shape  # within the image
        assert inside.sum() == (0 if kind == crops.NORMAL_PART else mask.sum())
    assert min(found.values()) > 100


@pytest.mark.parametrize("name", MASKS)
def test_parts_are_large_and_near_the_proportions_of_the_image(name):
    for part, kind in draws(MASKS[name]):
        height, width = (of / whole for of, whole in zip(part.shape, SHAPE, strict=True))
        if kind == crops.NORMAL_PART:
            assert min(height, width) > 0.24
            assert abs(np.log(width / height)) < 2.1 * 0.15


def test_both_kinds_have_the_same_sizes():
    areas = {crops.NORMAL_PART: [], crops.LESION_PART: []}
    for part, kind in draws(MASKS["middle"], count=2000):
        areas[kind].append(part.area)
    one, other = (np.median(areas[kind]) for kind in areas)
    assert one == pytest.approx(other, rel=0.05)


def test_most_begin_at_the_skin():
    tops = [part.top for part, kind in draws(MASKS["left"]) if kind == crops.NORMAL_PART]
    assert np.mean(np.array(tops) == 0) > 0.5


def test_the_lesion_is_anywhere_in_its_part():
    mask = MASKS["middle"]
    at = [
        np.flatnonzero(part.of(mask).any(0)).mean() / part.shape[1]
        for part, kind in draws(mask)
        if kind == crops.LESION_PART
    ]
    assert np.std(at) > 0.1  # of the width; in the image it is at 0.5


def test_a_lesion_that_leaves_no_room_is_shown_whole():
    assert {kind for _, kind in draws(mask_with(10, 20, 160, 200), count=50)} == {crops.WHOLE}


def test_parts_of_normal_images_are_normal():
    kinds = {kind for _, kind in draws(np.zeros(SHAPE, np.uint8), 0.3, 0.3)}
    assert kinds == {crops.WHOLE, crops.NORMAL_PART}


def test_probabilities_are_those_that_were_asked_for():
    kinds = [kind for _, kind in draws(MASKS["middle"], 0.2, 0.5, count=4000)]
    shares = {kind: kinds.count(kind) / len(kinds) for kind in set(kinds)}
    assert shares == pytest.approx({"normal": 0.2, "lesion": 0.5, "whole": 0.3}, abs=0.03)


def test_what_has_lost_its_lesion_is_labelled_normal():
    labels = []
    for batch in batches(12, crop_normal=0.5, crop_lesion=0.3):
        has_lesion = batch["mask"].any((1, 2, 3))
        np.testing.assert_array_equal(batch["label"] != 2, has_lesion)
        assert batch["inside"].any((1, 2, 3)).all()
        assert not (batch["image"] * (1 - batch["inside"])).any()
        labels += batch["label"].tolist()
    plain = np.concatenate([batch["label"] for batch in batches(12)])
    assert np.mean(np.array(labels) == 2) > np.mean(plain == 2) + 0.15


def test_without_them_nothing_else_is_drawn():
    one, other = batches(1), batches(1, crop_normal=0.0, crop_lesion=0.0)
    np.testing.assert_array_equal(one[0]["image"], other[0]["image"])


def test_every_epoch_draws_its_own_parts():
    first, second = batches(3, crop_normal=1.0)[0], batches(6, crop_normal=1.0)[3]
    assert not np.array_equal(first["image"], second["image"])
    again = batches(3, crop_normal=1.0)[0]
    np.testing.assert_array_equal(first["image"], again["image"])
