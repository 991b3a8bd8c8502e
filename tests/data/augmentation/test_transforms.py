import cv2
import numpy as np
import pytest

from busjax.config import Augment
from busjax.data.augmentation.transforms import augment

OFF = {
    **dict.fromkeys(
        ("flip_horizontal", "flip_vertical", "affine", "elastic", "speckle", "blur"), 0.0
    ),
    **dict.fromkeys(("rotate", "scale", "shear", "translate"), 0.0),
    **dict.fromkeys(("brightness", "contrast", "gamma"), 0.0),
}

GEOMETRIC = {
    "flip_horizontal": {"flip_horizontal": 1.0},
    "flip_vertical": {"flip_vertical": 1.0},
    "rotate": {"affine": 1.0, "rotate": 20.0},
    "scale": {"affine": 1.0, "scale": 0.3},
    "shear": {"affine": 1.0, "shear": 15.0},
    "translate": {"affine": 1.0, "translate": 0.1},
    "elastic": {"elastic": 1.0},
    "all": {
        **{"flip_horizontal": 1.0, "flip_vertical": 1.0, "affine": 1.0, "elastic": 1.0},
        **{"rotate": 20.0, "scale": 0.3, "shear": 15.0, "translate": 0.1},
    },
}

GREY = {
    "brightness": {"brightness": 0.3},
    "contrast": {"contrast": 0.5},
    "gamma": {"gamma": 0.5},
    "speckle": {"speckle": 1.0},
    "blur": {"blur": 1.0},
}


def config(**fields):
    return Augment(**{**OFF, **fields})


def lesion(h=96, w=128):
    """An ellipse off the centre, as image and as mask."""
    mask = np.zeros((h, w), np.uint8)
    cv2.ellipse(mask, (w // 3, h // 2), (w // 6, h // 5), 30, 0, 360, 1, -1)
    return mask.astype(np.float32), mask


def texture(h=96, w=128):
    image = np.random.default_rng(7).random((h, w)).astype(np.float32)
    return np.clip(cv2.GaussianBlur(image, (0, 0), 2) * 2 - 0.5, 0, 1)


def test_all_off_is_the_identity():
    image, mask = texture(), lesion()[1]
    for off in (config(), config(enabled=False, **GEOMETRIC["all"])):
        new_image, new_mask = augment(image, mask, np.random.default_rng(0), off)
        np.testing.assert_array_equal(new_image, image)
        np.testing.assert_array_equal(new_mask, mask)


@pytest.mark.parametrize("fields", GEOMETRIC.values(), ids=GEOMETRIC.keys())
def test_image_and_mask_move_together(fields):
    image, mask = lesion()
    moved = []
    for seed in range(5):
        new_image, new_mask = augment(image, mask, np.random.default_rng(seed), config(**fields))
        inside = cv2.erode(new_mask, np.ones((3, 3)), borderValue=0)
        outside = 1 - cv2.dilate(new_mask, np.ones((3, 3)))
        assert new_image[inside == 1].min() > 0.7  # zoomed edges are wider than a pixel
        assert new_image[outside == 1].max() < 0.3
        assert ((new_image > 0.5) != new_mask).sum() < 0.03 * new_mask.sum()
        assert set(np.unique(new_mask)) == {0, 1}
        moved.append((new_mask != mask).sum())
    assert max(moved) > 100


@pytest.mark.parametrize("fields", GREY.values(), ids=GREY.keys())
def test_grey_levels_change_and_the_mask_stays(fields):
    image, mask = texture(), lesion()[1]
    new_image, new_mask = augment(image, mask, np.random.default_rng(0), config(**fields))
    assert np.abs(new_image - image).mean() > 1e-3
    np.testing.assert_array_equal(new_mask, mask)


def test_flips_are_exact():
    image, mask = texture(), lesion()[1]
    for field, flip in (("flip_horizontal", np.fliplr), ("flip_vertical", np.flipud)):
        new = augment(image, mask, np.random.default_rng(0), config(**{field: 1.0}))
        np.testing.assert_array_equal(new[0], flip(image))
        np.testing.assert_array_equal(new[1], flip(mask))


def test_probability_of_a_flip():
    image, mask = lesion()
    rng, half = np.random.default_rng(0), config(flip_horizontal=0.5)
    flipped = [not np.array_equal(augment(image, mask, rng, half)[1], mask) for _ in range(200)]
    assert 75 < sum(flipped) < 125


def centroid(mask):
    y, x = np.nonzero(mask)
    return np.array([x.mean(), y.mean()])


def principal_angle(mask):
    y, x = np.nonzero(mask)
    _, vectors = np.linalg.eigh(np.cov(x, y))
    return np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])) % 180


def spread(measure, fields, draws=100):
    """Largest and mean absolute change of a measure of the mask over many draws."""
    _, mask = lesion(128, 128)
    rng, on = np.random.default_rng(0), config(**fields)
    old = measure(mask)
    changes = [
        np.abs(measure(augment(*lesion(128, 128), rng, on)[1]) - old).max() for _ in range(draws)
    ]
    return max(changes), np.mean(changes)


@pytest.mark.parametrize(
    ("fields", "measure", "limit"),
    [  # limits in degrees, log of the zoom, pixels, pixels
        ({"affine": 1.0, "rotate": 20.0}, principal_angle, 20),
        ({"affine": 1.0, "scale": 0.3}, lambda mask: np.log(mask.sum()) / 2, np.log(1.3)),
        ({"affine": 1.0, "translate": 0.1}, centroid, 12.8),
        ({"elastic": 1.0, "elastic_alpha": 0.05}, centroid, 6.4),
    ],
    ids=["rotate", "scale", "translate", "elastic"],
)
def test_amounts_keep_to_their_limits(fields, measure, limit):
    largest, mean = spread(measure, fields)
    tolerance = 0.03 * limit + 0.02
    assert largest <= limit + tolerance
    assert mean > 0.05 * limit


def test_a_lesion_never_leaves_the_image():
    image = texture(64, 64)
    mask = np.zeros((64, 64), np.uint8)
    mask[0, 32] = 1
    rng, far = np.random.default_rng(0), config(affine=1.0, translate=0.2, scale=0.3)
    moved = 0
    for _ in range(50):
        new_image, new_mask = augment(image, mask, rng, far)
        assert new_mask.any()
        moved += not np.array_equal(new_image, image)
    assert moved > 5
    empty = np.zeros_like(mask)
    new_image, new_mask = augment(image, empty, rng, far)
    assert not np.array_equal(new_image, image)
    np.testing.assert_array_equal(new_mask, empty)


def test_the_border_mirrors():
    bright = np.full((32, 32), 0.8, np.float32)
    mask = np.ones((32, 32), np.uint8)
    moved = config(affine=1.0, translate=0.3, rotate=45.0, scale=0.5)
    for seed in range(5):
        new_image, new_mask = augment(bright, mask, np.random.default_rng(seed), moved)
        np.testing.assert_allclose(new_image, 0.8, atol=1e-6)
        assert new_mask.all()


def test_ranges_and_types():
    strong = config(
        **{"brightness": 0.9, "contrast": 1.0, "gamma": 2.0, "speckle": 1.0, "speckle_sigma": 2.0},
        **{"blur": 1.0, **GEOMETRIC["all"]},
    )
    rng = np.random.default_rng(0)
    for _ in range(30):
        image, mask = augment(texture(), lesion()[1], rng, strong)
        assert image.shape == mask.shape == (96, 128)
        assert image.dtype == np.float32
        assert mask.dtype == np.uint8
        assert np.isfinite(image).all()
        assert image.min() >= 0
        assert image.max() <= 1


def test_deterministic_and_without_side_effects():
    image, mask = texture(), lesion()[1]
    kept = image.copy(), mask.copy()
    on = Augment()
    runs = []
    for seed in (3, 3, 4):
        rng = np.random.default_rng(seed)
        runs.append(np.stack([augment(image, mask, rng, on)[0] for _ in range(5)]))
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])
    np.testing.assert_array_equal(image, kept[0])
    np.testing.assert_array_equal(mask, kept[1])


def test_zero_amounts_of_noise_and_blur_do_nothing():
    image, mask = texture(), lesion()[1]
    zero = config(
        speckle=1.0, speckle_sigma=0.0, blur=1.0, blur_sigma=0.0, elastic=1.0, elastic_alpha=0.0
    )
    new_image, new_mask = augment(image, mask, np.random.default_rng(0), zero)
    np.testing.assert_allclose(new_image, image, atol=1e-6)
    np.testing.assert_array_equal(new_mask, mask)
