"""The refined output: the mask agrees with the class."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from busjax.models import architectures, prediction
from busjax.models.refine import refine

MASK = np.full((3, 2, 2, 1), 0.8, np.float32)
# Surely benign; normal; benign, though normal is not unlikely.
CLASSES = np.array([[0.9, 0.1, 0.0], [0.2, 0.3, 0.5], [0.45, 0.2, 0.35]], np.float32)


def test_none_leaves_the_mask():
    np.testing.assert_array_equal(refine(MASK, CLASSES, "none", 2)[0], MASK)


def test_hard_is_entirely_black_where_normal_and_untouched_elsewhere():
    refined = np.asarray(refine(MASK, CLASSES, "hard", 2)[0])
    np.testing.assert_array_equal(refined[1], 0.0)
    np.testing.assert_array_equal(refined[[0, 2]], MASK[[0, 2]])


def test_soft_multiplies_by_the_probability_of_a_lesion():
    refined = np.asarray(refine(MASK, CLASSES, "soft", 2)[0])
    np.testing.assert_allclose(refined[:, 0, 0, 0], 0.8 * np.array([1.0, 0.5, 0.65]), rtol=1e-6)


def test_another_class_may_be_the_normal_one():
    assert np.asarray(refine(MASK, CLASSES, "hard", 0)[0]).max(axis=(1, 2, 3)).tolist() == [
        0.0,
        pytest.approx(0.8),
        0.0,
    ]


def test_both_empties_the_mask_of_normal_and_calls_an_empty_mask_normal():
    mask = np.zeros((4, 2, 2, 1), np.float32)
    mask[0], mask[1], mask[2, 0, 0] = 0.8, 0.8, 0.49
    mask[3, 0, 0] = 0.5  # one pixel is enough for a lesion
    p = np.array([[0.9, 0.1, 0.0], [0.2, 0.3, 0.5], [0.2, 0.7, 0.1], [0.6, 0.1, 0.3]], np.float32)
    refined, classes = (np.asarray(x) for x in refine(mask, p, "both", 2))
    np.testing.assert_array_equal(refined[1], 0.0)
    np.testing.assert_array_equal(refined[[0, 2, 3]], mask[[0, 2, 3]])
    np.testing.assert_array_equal(classes[[0, 1, 3]], p[[0, 1, 3]])
    np.testing.assert_allclose(classes[2], [0.2, 0.1, 0.7])


@pytest.mark.parametrize("mode", ["none", "hard", "soft"])
def test_only_both_moves_the_class(mode):
    np.testing.assert_array_equal(refine(0 * MASK, CLASSES, mode, 2)[1], CLASSES)


@pytest.mark.parametrize("name", architectures.DECODERS)
def test_every_architecture_delivers_a_black_mask_for_normal(config, name, rng):
    config = config.but(model={"name": name, "depth": 1})
    network = architectures.build(config.model)
    image = jnp.asarray(rng.random((2, 16, 16, 1)), jnp.float32)
    rngs = {"params": jax.random.key(0, impl="rbg"), "dropout": jax.random.key(1)}
    variables = jax.jit(functools.partial(network.init, train=True))(rngs, image)
    predict = jax.jit(functools.partial(prediction.predict, network, refinement="hard"))
    logits = variables["params"]["classifier"]["logits"]
    for bias, black in (([0.0, 0.0, 100.0], True), ([100.0, 0.0, 0.0], False)):
        logits["bias"] = jnp.array(bias)
        mask = predict(prediction.Ensemble((variables,)), image).mask
        assert bool((mask == 0).all()) == black
