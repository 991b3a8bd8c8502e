"""Blocks, by hand and by property."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from busjax.models.blocks import ChannelDropout, Conv, ConvBlock, Dropout, NormAct, Up


def _feature(rng, *shape):
    return jnp.asarray(rng.standard_normal(shape), jnp.float32)


def _of(x):
    """A convolution that gives x."""
    return lambda scale: x if scale is None else x * scale


@pytest.mark.parametrize("size", [1, 3])
def test_convolution_of_several_inputs_is_that_of_their_concatenation(spec, rng, size):
    a, b = _feature(rng, 2, 4, 4, 3), _feature(rng, 2, 4, 4, 5)
    conv = Conv(spec.ops, 6, size, use_bias=True)
    variables = conv.init(jax.random.key(0), a, b)
    chex.assert_trees_all_close(
        conv.apply(variables, a, b),
        conv.apply(variables, jnp.concatenate([a, b], -1)),
        rtol=1e-5, atol=1e-5,
    )  # fmt: skip


def test_batch_norm_by_hand(spec):
    x = jnp.array([1.0, 3.0, 5.0, 7.0]).reshape(2, 1, 2, 1)  # mean 4, variance 5
    norm = NormAct(spec, epsilon=0.0)
    variables = norm.init(jax.random.key(0), _of(x), x.shape[-1], True)
    variables["params"]["bias"] = jnp.array([1.0])
    y, updated = norm.apply(variables, _of(x), 1, True, mutable=["batch_stats"])
    expected = np.maximum((np.array([1, 3, 5, 7]) - 4) / np.sqrt(5) + 1, 0)
    np.testing.assert_allclose(y.ravel(), expected, rtol=1e-5, atol=1e-6)
    # 0.9 of the old (0 and 1) and 0.1 of the new.
    np.testing.assert_allclose(updated["batch_stats"]["mean"], [0.4], rtol=1e-5)
    np.testing.assert_allclose(updated["batch_stats"]["variance"], [0.9 + 0.5], rtol=1e-5)


def test_batch_norm_evaluates_with_running_statistics(spec, rng):
    x = _feature(rng, 2, 4, 4, 3)
    norm = NormAct(spec, epsilon=0.0)
    stats = {"mean": jnp.array([1.0, 2.0, 3.0]), "variance": jnp.array([4.0, 1.0, 0.25])}
    params = {"scale": jnp.ones(3), "bias": jnp.zeros(3)}
    y = norm.apply({"params": params, "batch_stats": stats}, _of(x), 3, False)
    expected = np.maximum((x - stats["mean"]) / np.sqrt(stats["variance"]), 0)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_fixed_norms_folded_into_the_convolutions_change_nothing(spec, rng):
    x = _feature(rng, 2, 8, 8, 3)
    block = ConvBlock(spec, 5)
    variables = block.init(jax.random.key(0), x, train=False)
    drawn = jax.tree.map(lambda v: jnp.asarray(rng.random(v.shape) + 0.1, jnp.float32), variables)
    y = x
    for n in range(2):
        y = lax.conv_general_dilated(
            y, drawn["params"][f"conv_{n}"]["kernel"], (1, 1), "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )  # fmt: skip
        norm, seen = drawn["params"][f"norm_{n}"], drawn["batch_stats"][f"norm_{n}"]
        y = (y - seen["mean"]) / np.sqrt(seen["variance"] + 1e-5) * norm["scale"] + norm["bias"]
        y = jnp.maximum(y, 0)
    found = block.apply(drawn, x, train=False)
    np.testing.assert_allclose(found, y, rtol=1e-5, atol=1e-5 * float(jnp.abs(y).max()))


@pytest.mark.parametrize("kind", ["group", "instance"])
def test_norms_per_image_do_not_mix_images(spec, rng, kind):
    spec = dataclasses.replace(spec, norm=kind)
    x = _feature(rng, 3, 4, 4, 4)
    norm = NormAct(spec)
    variables = norm.init(jax.random.key(0), _of(x), x.shape[-1], True)
    assert "batch_stats" not in variables
    chex.assert_trees_all_close(
        norm.apply(variables, _of(x), 4, True)[1:],
        norm.apply(variables, _of(x[1:]), 4, True),
        atol=1e-6,
    )


def test_instance_norm_makes_every_channel_standard(spec, rng):
    spec = dataclasses.replace(spec, norm="instance", activation_slope=1.0)
    x = 5 + 3 * _feature(rng, 2, 8, 8, 4)
    norm = NormAct(spec)
    y = norm.apply(
        norm.init(jax.random.key(0), _of(x), x.shape[-1], True), _of(x), x.shape[-1], True
    )
    np.testing.assert_allclose(y.mean((1, 2)), np.zeros((2, 4)), atol=1e-4)
    np.testing.assert_allclose(y.std((1, 2)), np.ones((2, 4)), atol=1e-3)


def test_group_norm_takes_a_number_of_groups_that_divides(spec, rng):
    spec = dataclasses.replace(spec, norm="group", norm_groups=8)
    x = _feature(rng, 1, 4, 4, 12)  # 4 groups of 3
    norm = NormAct(spec)
    y = norm.apply(
        norm.init(jax.random.key(0), _of(x), x.shape[-1], True), _of(x), x.shape[-1], True
    )
    assert jnp.isfinite(y).all()


def test_channel_dropout_drops_whole_channels_and_keeps_the_mean(spec):
    x = jnp.ones((64, 2, 2, 32))
    y = ChannelDropout(spec.ops, 0.25).apply({}, x, True, rngs={"dropout": jax.random.key(0)})
    assert set(np.unique(y)) == {0.0, np.float32(1 / 0.75)}
    np.testing.assert_array_equal(y.min((1, 2)), y.max((1, 2)))
    assert abs(y.mean() - 1) < 0.05
    chex.assert_trees_all_equal(ChannelDropout(spec.ops, 0.25).apply({}, x, False), x)


def test_dropout_drops_values_and_keeps_the_mean():
    x = jnp.full((64, 32), 3.0)
    y = Dropout(0.25).apply({}, x, True, rngs={"dropout": jax.random.key(0)})
    assert set(np.unique(y)) == {0.0, np.float32(4.0)}
    assert abs(y.mean() - 3) < 0.15
    assert len(np.unique(y, axis=0)) == 64
    chex.assert_trees_all_equal(Dropout(0.25).apply({}, x, False), x)


def test_block_is_twice_convolution_norm_relu(spec, rng):
    x = _feature(rng, 2, 6, 6, 3)
    block = ConvBlock(spec, 5)
    variables = block.init(jax.random.key(0), x, train=True)
    y, _ = block.apply(variables, x, train=True, mutable=["batch_stats"])
    expected = x
    for i in range(2):
        kernel = variables["params"][f"conv_{i}"]["kernel"]
        dims = ("NHWC", "HWIO", "NHWC")
        expected = jax.lax.conv_general_dilated(
            expected, kernel, (1, 1), "SAME", dimension_numbers=dims
        )
        mean, std = expected.mean((0, 1, 2)), jnp.sqrt(expected.var((0, 1, 2)) + 1e-5)
        expected = jax.nn.relu((expected - mean) / std)
    np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("how", ["transposed", "bilinear"])
def test_up_doubles_the_size(spec, rng, how):
    up = Up(dataclasses.replace(spec, upsample=how), 3)
    x = _feature(rng, 2, 4, 5, 6)
    chex.assert_shape(up.apply(up.init(jax.random.key(0), x), x), (2, 8, 10, 3))


def test_initial_weights_keep_the_scale(spec, rng):
    x = _feature(rng, 4, 16, 16, 32)
    for module, expected in ((Conv(spec.ops, 64, 3), 2.0), (Up(spec, 64), 1.0)):
        y = module.apply(module.init(jax.random.key(0), x), x)
        assert 0.75 * expected < y[:, 2:-2, 2:-2].var() < 1.25 * expected
