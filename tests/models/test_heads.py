"""The mask's head and the classifier."""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from busjax.models.heads import AttentivePool, Classifier, SegmentationHead


def _feature(rng, *shape):
    return jnp.asarray(rng.standard_normal(shape), jnp.float32)


def test_segmentation_head_is_float32(spec, rng):
    head = SegmentationHead(spec.ops)
    x = _feature(rng, 2, 4, 4, 8).astype(jnp.bfloat16)
    logits, _ = head.init_with_output(jax.random.key(0), x)
    chex.assert_shape(logits, (2, 4, 4, 1))
    chex.assert_type(logits, jnp.float32)


def test_attentive_pool_is_the_mean_of_the_weighted_feature(spec, rng):
    x = _feature(rng, 2, 5, 6, 64)
    pool = AttentivePool(spec.ops)
    pooled, variables = pool.init_with_output(jax.random.key(0), x)
    p = variables["params"]
    chex.assert_shape(p["squeeze"]["kernel"], (128, 4))  # mean and max in, C/16 out
    both = jnp.concatenate([x.mean((1, 2)), x.max((1, 2))], -1)
    hidden = jax.nn.relu(both @ p["squeeze"]["kernel"] + p["squeeze"]["bias"])
    s = jax.nn.sigmoid(hidden @ p["excite"]["kernel"] + p["excite"]["bias"])
    np.testing.assert_allclose(pooled, (x * s[:, None, None]).mean((1, 2)), rtol=1e-4, atol=1e-5)


def test_classifier_reads_every_scale_of_any_size(spec, rng):
    xs = (_feature(rng, 2, 8, 8, 4), _feature(rng, 2, 4, 4, 8), _feature(rng, 2, 6, 6, 4))
    classifier = Classifier(spec, classes=3, hidden=16, dropout=0.5)
    init = jax.jit(classifier.init_with_output, static_argnums=2)
    logits, variables = init(jax.random.key(0, impl="rbg"), xs, False)
    chex.assert_shape(logits, (2, 3))

    def energy(xs):
        return jnp.sum(classifier.apply(variables, xs, False) ** 2)

    gradients = jax.jit(jax.grad(energy))(xs)
    assert all(jnp.abs(gradient).max() > 0 for gradient in gradients)


def test_classifier_drops_features_in_training_only(spec, rng):
    xs = (_feature(rng, 2, 4, 4, 16),)
    classifier = Classifier(spec, classes=3, hidden=16, dropout=0.5)
    variables = classifier.init(jax.random.key(0), xs, False)
    a, b = (
        classifier.apply(variables, xs, True, rngs={"dropout": jax.random.key(k)}) for k in (0, 1)
    )
    assert jnp.abs(a - b).max() > 0
