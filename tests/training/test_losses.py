"""The loss, by hand and on empty masks."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from busjax.models.network import Outputs
from busjax.training import losses
from busjax.training.losses import LossWeights

SURE = 50.0  # a logit whose sigmoid is 1 in float32


def _mask(*rows):
    return jnp.array(rows, jnp.float32)[None, :, :, None]


def test_dice_loss_by_hand():
    mask = _mask([1, 1], [0, 0])
    logits = jnp.where(_mask([1, 0], [1, 0]) > 0, SURE, -SURE)
    # One pixel in common, two and two in all: 1 - (2 + 1) / (4 + 1).
    np.testing.assert_allclose(losses.dice_loss(logits, mask), [0.4], rtol=1e-6)
    np.testing.assert_allclose(losses.dice_loss(jnp.zeros((1, 2, 2, 1)), mask), [1 - 3 / 5])


def test_dice_loss_on_an_empty_mask():
    empty = jnp.zeros((1, 32, 32, 1))
    assert losses.dice_loss(jnp.full_like(empty, -SURE), empty) == pytest.approx(0.0, abs=1e-6)
    assert losses.dice_loss(jnp.full_like(empty, SURE), empty) > 0.99
    one_pixel = jnp.full_like(empty, -SURE).at[0, 3, 4].set(SURE)
    np.testing.assert_allclose(losses.dice_loss(one_pixel, empty), [0.5], rtol=1e-5)
    gradient = jax.grad(lambda x: losses.dice_loss(x, empty).sum())(jnp.zeros_like(empty))
    assert (gradient > 0).all()  # every false pixel is pushed down


def test_dice_loss_is_per_image(rng):
    logits = jnp.asarray(rng.standard_normal((3, 4, 4, 1)))
    mask = jnp.asarray(rng.random((3, 4, 4, 1)) > 0.5, jnp.float32)
    alone = jnp.concatenate([losses.dice_loss(x[None], m[None]) for x, m in zip(logits, mask)])  # noqa: B905
    np.testing.assert_allclose(losses.dice_loss(logits, mask), alone, rtol=1e-6)


def test_binary_cross_entropy_by_hand():
    logits, mask = _mask([0, 2], [-1, 0]), _mask([1, 1], [0, 0])
    expected = (np.log(2) + np.log1p(np.exp(-2)) + np.log1p(np.exp(-1)) + np.log(2)) / 4
    np.testing.assert_allclose(losses.binary_cross_entropy(logits, mask), [expected], rtol=1e-5)


def test_cross_entropy_and_smoothing_by_hand():
    logits, label = jnp.log(jnp.array([[0.7, 0.2, 0.1]])), jnp.array([0])
    found = losses.cross_entropy(logits, label)
    np.testing.assert_allclose(found, [-np.log(0.7)], rtol=1e-5)
    expected = -(0.8 * np.log(0.7) + 0.1 * np.log(0.2) + 0.1 * np.log(0.1))
    found = losses.cross_entropy(logits, label, 0.3)  # the target becomes (0.8, 0.1, 0.1)
    np.testing.assert_allclose(found, [expected], rtol=1e-5)


def test_focal_loss_by_hand():
    logits, label = jnp.log(jnp.array([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]])), jnp.array([0, 2])
    expected = [-(0.3**2) * np.log(0.7), -(0.9**2) * np.log(0.1)]
    np.testing.assert_allclose(losses.focal_loss(logits, label), expected, rtol=1e-5)
    found = losses.focal_loss(logits, label, gamma=0.0)
    np.testing.assert_allclose(found, [-np.log(0.7), -np.log(0.1)], rtol=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_loss_has_a_gradient_where_it_is_sure(gamma):
    def loss(logits):
        return losses.focal_loss(logits, jnp.array([0]), gamma).sum()

    assert jnp.isfinite(jax.grad(loss)(jnp.array([[100.0, 0.0, 0.0]]))).all()


def test_deep_supervision_weights_by_hand():
    np.testing.assert_allclose(losses.deep_supervision_weights(1), [1.0])
    expected = np.array([1, 1 / 2, 1 / 3, 1 / 4]) / (25 / 12)
    np.testing.assert_allclose(losses.deep_supervision_weights(4), expected, rtol=1e-6)


def test_terms_weigh_the_masks_of_deep_supervision(rng):
    masks = tuple(jnp.asarray(rng.standard_normal((2, 4, 4, 1)), jnp.float32) for _ in range(2))
    target = jnp.asarray(rng.random((2, 4, 4, 1)) > 0.5, jnp.float32)
    outputs = Outputs(masks, jnp.zeros((2, 3)))
    terms = losses.loss_terms(outputs, target, jnp.array([0, 1]))
    assert sorted(terms) == ["bce", "classification", "dice"]
    assert all(term.shape == (2,) for term in terms.values())
    first, second = (losses.dice_loss(logits, target) for logits in masks)
    np.testing.assert_allclose(terms["dice"], 2 / 3 * first + 1 / 3 * second, rtol=1e-5)


def test_combine_with_fixed_weights():
    weights = LossWeights(dice=2.0, bce=3.0, segmentation=0.5, classification=0.25)
    terms = {name: jnp.array([value]) for name, value in
             (("dice", 0.1), ("bce", 0.2), ("classification", 0.4))}  # fmt: skip
    found = losses.combine(terms, weights)
    np.testing.assert_allclose(found, [0.5 * (0.2 + 0.6) + 0.25 * 0.4], rtol=1e-6)


def test_combine_with_learnt_weights():
    terms = {"dice": jnp.array([0.1]), "bce": jnp.array([0.2]), "classification": jnp.array([0.8])}
    s = losses.initial_uncertainties()
    assert sorted(s) == ["classification", "segmentation"]
    np.testing.assert_allclose(losses.combine(terms, uncertainties=s), [0.3 + 0.5 * 0.8], rtol=1e-6)
    s = {"segmentation": jnp.array(1.0), "classification": jnp.array(-1.0)}
    expected = np.exp(-1) * 0.3 + 1 + np.exp(1) * 0.4 - 1
    np.testing.assert_allclose(losses.combine(terms, uncertainties=s), [expected], rtol=1e-6)
    # At its best, exp(s) is the task's loss.
    gradient = jax.grad(lambda s: losses.combine(terms, uncertainties=s).sum())
    best = {"segmentation": jnp.log(0.3), "classification": jnp.log(0.4)}
    assert optax.tree.norm(gradient(best)) < 1e-6


def test_pixels_around_an_image_count_in_no_loss(rng):
    """The terms are those of the image alone, whatever the network says around it."""
    logits = rng.standard_normal((2, 6, 8, 1)).astype(np.float32)
    mask = (rng.random((2, 6, 8, 1)) > 0.5).astype(np.float32)
    inside = np.zeros_like(mask)
    inside[:, 1:4] = 1
    expected = [
        term(logits[:, 1:4], mask[:, 1:4])
        for term in (losses.dice_loss, losses.binary_cross_entropy)
    ]
    for term, alone in zip((losses.dice_loss, losses.binary_cross_entropy), expected, strict=True):
        np.testing.assert_allclose(term(logits, mask, inside), alone, rtol=1e-5)
        np.testing.assert_allclose(term(logits + 9 * (1 - inside), mask, inside), alone, rtol=1e-5)
        assert np.isfinite(term(logits, mask, 0 * inside)).all()  # what fills a batch up
