"""How unsure networks are: of one view, and of several that disagree."""

import jax.numpy as jnp
import numpy as np
import pytest

from busjax.models.uncertainty import of_views


def mask(*values):
    """One image of a row of pixels."""
    return jnp.array(values, jnp.float32).reshape(1, 1, -1, 1)


SURE = jnp.array([[1.0, 0.0, 0.0]])
EVEN = jnp.array([[1.0, 1.0, 1.0]]) / 3


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ((1.0, 1.0, 0.0, 0.0), 0.0),
        ((0.0, 0.0, 0.0, 0.0), 0.0),
        ((0.75, 0.25, 0.0, 0.0), 1 - 2 * 0.75 / (1.0 + 1)),
        ((0.5, 0.5, 0.5, 0.5), 1 - 2 * 2.0 / (2.0 + 4)),  # 0.5 is inside
        ((0.4, 0.1, 0.0, 0.0), 0.4),  # an empty mask that may have missed something
    ],
)
def test_the_mask_is_as_unsure_as_the_dice_it_promises(probabilities, expected):
    found = of_views([mask(*probabilities)], [SURE])
    np.testing.assert_allclose(found.mask, [expected], atol=1e-6)


def test_the_dice_that_is_promised_is_near_that_of_masks_drawn_so(rng):
    """Borges et al.: it bounds the expected Dice closely where pixels are independent."""
    probability = rng.uniform(0, 1, (1, 20, 20, 1)).astype(np.float32) ** 2
    drawn = probability >= 0.5
    truth = rng.random((500, 20, 20, 1)) < probability
    dice = 2 * (truth & drawn).sum((1, 2, 3)) / (truth.sum((1, 2, 3)) + drawn.sum())
    found = of_views([jnp.asarray(probability)], [SURE])
    assert 1 - float(found.mask[0]) == pytest.approx(dice.mean(), abs=0.005)


@pytest.mark.parametrize(
    ("classes", "expected"), [(SURE, 0.0), (EVEN, 1.0), (jnp.array([[0.5, 0.5, 0.0]]), 0.6309298)]
)
def test_entropy_of_the_classes(classes, expected):
    np.testing.assert_allclose(of_views([mask(0, 0)], [classes]).classes, [expected], atol=1e-6)


def test_a_single_view_has_nothing_to_disagree_with():
    found = of_views([mask(0.7, 0.2)], [EVEN])
    np.testing.assert_array_equal(found.mask_disagreement, [0])
    np.testing.assert_array_equal(found.class_disagreement, [0])


def test_views_that_agree_on_being_unsure_do_not_disagree():
    found = of_views([mask(0.6, 0.4)] * 3, [EVEN] * 3)
    np.testing.assert_allclose(found.mask_disagreement, [0], atol=1e-6)
    np.testing.assert_allclose(found.class_disagreement, [0], atol=1e-6)


def test_views_that_are_sure_of_other_things_disagree():
    other = jnp.array([[0.0, 1.0, 0.0]])
    found = of_views([mask(0.9, 0.0), mask(0.0, 0.9)], [SURE, other])
    np.testing.assert_allclose(found.mask_disagreement, [1])
    # Half of one, half of the other: all of the entropy is disagreement.
    np.testing.assert_allclose(found.class_disagreement, found.classes)
    np.testing.assert_allclose(found.classes, [0.6309298], atol=1e-6)


def test_the_mean_is_over_all_pairs():
    views = [mask(1, 1, 0, 0), mask(1, 0, 0, 0), mask(0, 0, 0, 0)]
    found = of_views(views, [SURE] * 3)
    np.testing.assert_allclose(found.mask_disagreement, [1 - (2 / 3 + 0 + 0) / 3], atol=1e-6)
    np.testing.assert_allclose(
        of_views([mask(0, 0), mask(0, 0)], [SURE] * 2).mask_disagreement, [0]
    )


@pytest.mark.parametrize(
    ("probabilities", "normal", "expected"),
    [((0.9, 0.2), 1.0, 0.9), ((0.1, 0.0), 0.0, 0.9), ((1.0, 0.0), 0.0, 0.0), ((0.3, 0), 0.7, 0.0)],
)
def test_heads_that_differ_on_a_lesion_contradict(probabilities, normal, expected):
    classes = jnp.array([[0.0, 1 - normal, normal]])
    np.testing.assert_allclose(
        of_views([mask(*probabilities)], [classes]).contradiction, [expected], atol=1e-6
    )
