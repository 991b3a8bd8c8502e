"""Planted copies of every kind are found, and nothing else is."""

import numpy as np
import pytest

from busjax.data.audit import candidates, pairs
from busjax.data.audit.alignment import Rule, align
from busjax.data.audit.features import describe, shrunk

# Of the planted copies of a kind at least this share is found.
FLOOR = {
    "same": 1.0,
    "rescaled": 1.0,
    "cropped": 1.0,
    "brighter": 1.0,
    "written on": 1.0,
    "mirrored": 1.0,
    "next frame": 0.9,
}


@pytest.fixture(scope="module")
def found(phantoms, changes):
    """Of each kind: the pairs found among the phantoms and one changed copy of each of some."""
    rng = np.random.default_rng(0)
    images = [record.image for record in phantoms]
    planted, kinds = [], []
    for index, kind in enumerate(changes):
        for which in ((3 * index) % 18, (3 * index + 1) % 18, (3 * index + 2) % 18):
            planted.append(changes[kind](images[which], rng))
            kinds.append((kind, which))
    return pairs.find(images + planted), kinds


@pytest.mark.parametrize("kind", FLOOR)
def test_copies_are_found(found, kind):
    pairs_found, kinds = found
    of_kind = [(which, 18 + place) for place, (name, which) in enumerate(kinds) if name == kind]
    hits = [pair for pair in pairs_found if (pair.one, pair.other) in of_kind]
    assert len(hits) >= FLOOR[kind] * len(of_kind) > 0
    assert all(pair.mirrored == (kind == "mirrored") for pair in hits)


def test_nothing_else_is_found(found):
    pairs_found, kinds = found
    origin = {
        **{index: index for index in range(18)},
        **{18 + i: w for i, (_, w) in enumerate(kinds)},
    }
    assert [pair for pair in pairs_found if origin[pair.one] != origin[pair.other]] == []


def test_every_kind_has_a_floor(changes):
    assert FLOOR.keys() == changes.keys()


def test_the_map_is_that_of_the_change(phantoms, changes):
    """Cropped by 20 rows and 30 columns, and shrunk by the same factor as the other."""
    image = phantoms[0].image
    crop = shrunk(image[20:220, 30:230])
    match = align(image, describe(image), crop, describe(crop))
    scale = 256 / 200
    np.testing.assert_allclose(
        match.map, [[scale, 0, -30 * scale], [0, scale, -20 * scale]], atol=0.6, rtol=0.02
    )
    assert match.overlap > 0.97
    assert match.correlation > 0.97
    assert match.satisfies(Rule())


def test_images_without_features_are_nothing_alike():
    grey, noise = np.full((64, 64), 90, np.uint8), np.zeros((64, 64), np.uint8)
    assert pairs.find([grey, noise, grey]) == []
    assert pairs.find([grey]) == pairs.find([]) == []
    assert align(grey, describe(grey), noise, describe(noise)) is None


def test_progress_never_goes_beyond_its_end(phantoms):
    steps = []
    pairs.find([record.image for record in phantoms[:4]], progress=steps.append)
    assert sum(steps) == pairs.steps(4)


def test_the_same_twice(phantoms, changes):
    rng = np.random.default_rng(0)
    images = [phantoms[0].image, changes["next frame"](phantoms[0].image, rng), phantoms[1].image]
    one, two = pairs.find(images), pairs.find(images)
    assert len(one) == 1
    assert one[0].match.inliers == two[0].match.inliers
    np.testing.assert_array_equal(one[0].match.map, two[0].match.map)


def test_candidates_are_few_and_never_the_image_itself(phantoms):
    features = [describe(shrunk(record.image)) for record in phantoms]
    proposed = candidates.propose(features, features)
    assert len(proposed) == len(set(proposed)) == 18 * 8
    assert all(one != other for one, other in proposed)
