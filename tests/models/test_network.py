"""One suite for every architecture: shapes, gradients, symmetries, choices that are wrong."""

import functools

import chex
import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from busjax.config import Model
from busjax.errors import UserError
from busjax.models import architectures
from busjax.models import network as networks
from busjax.models.encoder import ConvEncoder
from busjax.models.heads import Classifier
from busjax.models.network import MultiTaskNet
from busjax.models.unet import UNetDecoder
from busjax.models.unetpp import UNetPlusPlusDecoder


def _image(rng, batch=2, size=16):
    return jnp.asarray(rng.random((batch, size, size, 1)), jnp.float32)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_shapes_and_dtypes(build, architecture, dtype, rng):
    net = build(architecture, dtype)
    prediction = net.predict(net.variables, _image(rng))
    chex.assert_shape(prediction.mask, (2, 16, 16, 1))
    chex.assert_shape(prediction.classes, (2, 3))
    chex.assert_type([prediction.mask, prediction.classes], jnp.float32)
    chex.assert_trees_all_close(prediction.classes.sum(-1), jnp.ones(2), rtol=1e-5)
    assert 0 <= prediction.mask.min() <= prediction.mask.max() <= 1
    chex.assert_type(jax.tree.leaves(net.variables), jnp.float32)


def test_other_sizes_and_channels(build, architecture):
    net = build(architecture)
    outputs = jax.eval_shape(net.evaluate, net.variables, jnp.zeros((3, 20, 24, 1)))
    assert outputs.mask_logits[0].shape == (3, 20, 24, 1)
    with pytest.raises(flax.errors.ScopeParamShapeError):
        jax.eval_shape(net.evaluate, net.variables, jnp.zeros((2, 16, 16, 3)))
    with pytest.raises(AssertionError):
        jax.eval_shape(net.evaluate, net.variables, jnp.zeros((2, 16, 16)))


def test_bfloat16_stays_close_to_float32(build, architecture, rng):
    image = _image(rng)
    logits = {}
    for dtype in ("float32", "bfloat16"):
        net = build(architecture, dtype)
        logits[dtype] = jax.scipy.special.logit(net.predict(net.variables, image).mask)
    difference = jnp.abs(logits["float32"] - logits["bfloat16"]).max()
    assert 0 < difference < 0.05 * jnp.abs(logits["float32"]).max() + 0.02


def test_gradient_reaches_every_parameter(build, architecture, rng):
    """Through both heads together every parameter, and through each alone the whole encoder."""
    net, image = build(architecture), _image(rng)

    def losses(params):
        outputs = net.train({**net.variables, "params": params}, image)
        masks = sum(
            jnp.sum(logits * jax.random.normal(jax.random.key(i), logits.shape))
            for i, logits in enumerate(outputs.mask_logits)
        )
        weights = jax.random.normal(jax.random.key(9), outputs.class_logits.shape)
        return jnp.stack([masks, jnp.sum(outputs.class_logits * weights)])

    by_head = jax.jit(jax.jacrev(losses))(net.variables["params"])

    def dead(tree, reduce):
        return [
            jax.tree_util.keystr(path)
            for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
            if not reduce(jnp.abs(leaf.reshape(2, -1)).max(1)) > 0
        ]

    assert not dead(by_head, jnp.max)
    assert not dead(by_head["encoder"], jnp.min)


def test_permuted_batch_gives_permuted_outputs(build, architecture, rng):
    net = build(architecture)
    image = _image(rng)
    prediction = net.predict(net.variables, image)
    swapped = net.predict(net.variables, image[::-1])
    expected = jax.tree.map(lambda x: x[::-1], prediction)
    chex.assert_trees_all_close(swapped, expected, rtol=1e-4, atol=1e-5)


def test_symmetric_kernels_commute_with_flips(build, architecture, rng):
    net, image = build(architecture), _image(rng)

    def symmetric(leaf):
        return (leaf + leaf[:, ::-1]) / 2 if leaf.ndim == 4 else leaf

    mirrored = {**net.variables, "params": jax.tree.map(symmetric, net.variables["params"])}
    prediction, flipped = (net.predict(mirrored, x) for x in (image, image[:, :, ::-1]))
    np.testing.assert_allclose(flipped.mask, prediction.mask[:, :, ::-1], atol=1e-4)
    np.testing.assert_allclose(flipped.classes, prediction.classes, atol=1e-4)
    # The drawn kernels are not symmetric, or the test would say nothing.
    prediction, flipped = (net.predict(net.variables, x) for x in (image, image[:, :, ::-1]))
    assert jnp.abs(flipped.mask - prediction.mask[:, :, ::-1]).max() > 1e-3


def test_deep_supervision_gives_a_mask_per_column(build):
    image = jnp.zeros((2, 16, 16, 1))
    for architecture, masks in (("unetpp", 2), ("unet", 1)):
        net = build(architecture)
        assert len(jax.eval_shape(net.train, net.variables, image).mask_logits) == masks
        assert len(jax.eval_shape(net.evaluate, net.variables, image).mask_logits) == 1


def test_init_makes_every_parameter_whatever_train_is():
    """And with a plain key, from modules that are put together by hand."""
    network = MultiTaskNet(
        encoder=ConvEncoder(width=4, depth=2),
        decoder=UNetPlusPlusDecoder(prune=1),
        classifier=Classifier(hidden=8),
    )
    image = jnp.zeros((1, 16, 16, 1))
    plain = jax.eval_shape(network.init, jax.random.key(0), image)
    for train in (False, True):
        init = functools.partial(network.init, train=train)
        chex.assert_trees_all_equal_shapes(jax.eval_shape(init, jax.random.key(0), image), plain)
    assert {"mask_1", "mask_2", "encoder", "decoder", "classifier"} == set(plain["params"])
    assert {"x_0_1", "x_0_2", "x_1_1"} < set(plain["params"]["decoder"])
    train = functools.partial(network.apply, train=True, mutable=["batch_stats"])
    outputs, _ = jax.eval_shape(train, plain, image, rngs={"dropout": jax.random.key(1)})
    assert len(outputs.mask_logits) == 2
    assert len(jax.eval_shape(network.apply, plain, image).mask_logits) == 1


def test_the_defaults_of_modules_are_those_of_the_settings():
    """One default for each, in `busjax/config`."""
    made, by_hand = (
        architectures.build(Model(dtype="float32")),
        MultiTaskNet(ConvEncoder(), UNetDecoder(), Classifier()),
    )
    assert made == by_hand


def test_deep_supervision_can_be_left_out(config):
    config = config.but(model={"name": "unetpp", "deep_supervision": False})
    network, image = architectures.build(config.model), jnp.zeros((2, 16, 16, 1))
    rngs = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    init = functools.partial(network.init_with_output, train=True)
    outputs, variables = jax.eval_shape(init, rngs, image)
    assert len(outputs.mask_logits) == 1
    assert [name for name in variables["params"] if name.startswith("mask")] == ["mask_2"]


def test_dropout_only_in_training(config, rng):
    config = config.but(model={"dropout": 0.5, "depth": 1})
    network = architectures.build(config.model)
    image = _image(rng)
    rngs = {"params": jax.random.key(0, impl="rbg"), "dropout": jax.random.key(1)}
    variables = jax.jit(functools.partial(network.init, train=True))(rngs, image)

    @jax.jit
    def train(key):
        rngs = {"dropout": key}
        return network.apply(variables, image, train=True, rngs=rngs, mutable="batch_stats")[0]

    a, again, b = (train(jax.random.key(k)).mask_logits[0] for k in (0, 0, 1))
    chex.assert_trees_all_equal(a, again)
    assert jnp.abs(a - b).max() > 0
    jax.eval_shape(functools.partial(network.apply, train=False), variables, image)  # no keys


def test_size_that_does_not_fit_names_the_next(build):
    net = build("unetpp")
    with pytest.raises(UserError, match="next size that fits is 20 x 16"):
        net.evaluate(net.variables, jnp.zeros((1, 18, 16, 1)))


def test_parameters_are_counted():
    assert networks.count_parameters({"a": jnp.zeros((2, 3)), "b": [jnp.zeros(4)]}) == 10
