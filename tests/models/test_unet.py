"""The U-Net decoder."""

import functools

import chex
import jax
import jax.numpy as jnp
import pytest

from busjax.models.unet import UNetDecoder


@pytest.fixture
def features(rng):
    shapes = [(2, 16, 16, 4), (2, 8, 8, 8), (2, 4, 4, 16)]
    return [jnp.asarray(rng.standard_normal(shape), jnp.float32) for shape in shapes]


@pytest.mark.parametrize("gate", [None, "unit", "attention"])
def test_every_skip_matters(spec, features, gate):
    decoder = UNetDecoder(spec, gate)
    init = jax.jit(decoder.init, static_argnums=2)
    variables = init(jax.random.key(0, impl="rbg"), features, False)

    def finest(features):
        (x,), _ = decoder.apply(variables, features, False)
        return jnp.sum(jnp.square(x))

    for gradient in jax.jit(jax.grad(finest))(features):
        assert jnp.abs(gradient).max() > 0


def test_first_decoded_feature_has_the_size_of_the_last_stage(spec, features):
    decoder = UNetDecoder(spec)
    init = functools.partial(decoder.init_with_output, train=False)
    ((finest,), coarse), _ = jax.eval_shape(init, jax.random.key(0), features)
    chex.assert_shape(finest, (2, 16, 16, 4))
    chex.assert_shape(coarse, (2, 8, 8, 8))
