"""The shared encoder."""

import functools

import chex
import jax
import jax.numpy as jnp

from busjax.models.encoder import ConvEncoder


def test_features_fine_to_coarse(spec):
    encoder = ConvEncoder(spec, width=4, depth=3, dtype=jnp.float32)
    x = jnp.ones((2, 16, 24, 1))
    init = functools.partial(encoder.init_with_output, train=True)
    features, _ = jax.eval_shape(init, jax.random.key(0), x)
    for level, feature in enumerate(features):
        chex.assert_shape(feature, (2, 16 >> level, 24 >> level, 4 << level))
    assert len(features) == 4
