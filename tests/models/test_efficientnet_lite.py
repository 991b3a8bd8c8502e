"""EfficientNet-Lite: sizes as published, features, parity of the operations, any decoder."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from busjax.config import FIELDS, Config, Model
from busjax.errors import UserError
from busjax.models import architectures
from busjax.models import efficientnet_lite as lite
from busjax.models import network as networks
from busjax.ops import cpu, reference

KEYS = {"params": jax.random.key(0, impl="rbg"), "dropout": jax.random.key(1)}


def model(**values):
    small = {"width": 4, "classifier_hidden": 8, "ops": "reference", "dtype": "float32"}
    return Model(**{**small, **values})


@pytest.mark.parametrize(
    ("variant", "published", "channels"),
    [
        ("efficientnet_lite0", 4_652_008, 320),
        ("efficientnet_lite1", 5_416_680, 320),
        ("efficientnet_lite2", 6_092_072, 352),
    ],
)
def test_parameters_are_those_of_the_published_networks(variant, published, channels):
    """Without what follows the features: 1x1 convolution to 1280 with its norm, 1000 classes."""
    network = architectures.build(model(encoder=variant, image_channels=3))
    init = functools.partial(network.init, train=True)
    params = jax.eval_shape(init, KEYS, jnp.zeros((1, 32, 32, 3)))["params"]["encoder"]
    own = networks.count_parameters(params) - networks.count_parameters(params["finest"])
    assert own == published - (1280 * channels + 2 * 1280) - (1280 + 1) * 1000


@pytest.mark.parametrize("variant", lite.VARIANTS)
def test_features_fine_to_coarse(spec, variant):
    encoder = lite.EfficientNetLite(spec, variant, 4, jnp.float32)
    init = functools.partial(encoder.init_with_output, train=True)
    features, _ = jax.eval_shape(init, KEYS, jnp.zeros((2, 64, 96, 1)))
    channels = {stage.channels for stage in lite.stages(variant)}
    assert len(features) == len(lite.STRIDES)
    for feature, stride in zip(features, lite.STRIDES, strict=True):
        chex.assert_shape(feature, (2, 64 // stride, 96 // stride, None))
        assert stride == 1 or feature.shape[-1] in channels
    assert features[0].shape[-1] == 4


@pytest.mark.parametrize("variant", lite.VARIANTS)
@pytest.mark.parametrize("decoder", architectures.DECODERS)
def test_every_decoder_takes_every_encoder(decoder, variant):
    network = architectures.build(model(name=decoder, encoder=variant))
    init = functools.partial(network.init_with_output, train=True)
    outputs, _ = jax.eval_shape(init, KEYS, jnp.zeros((2, 64, 32, 1)))
    chex.assert_shape(outputs.mask_logits, (2, 64, 32, 1))
    chex.assert_shape(outputs.class_logits, (2, 3))
    assert len(outputs.mask_logits) == (5 if decoder == "unetpp" else 1)


def test_stem_is_a_convolution_of_stride_2_as_tensorflow_pads(spec, rng):
    """With zeros after the last row and column only, where a size is even."""
    image = jnp.asarray(rng.standard_normal((2, 8, 12, 3)), jnp.float32)
    stem = lite.Stem(spec, jnp.float32)
    variables = stem.init(KEYS, image, train=False)
    found = stem.apply(variables, image, train=False)
    expected = lax.conv_general_dilated(
        image, variables["params"]["kernel"], (2, 2), "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip
    expected = jnp.clip(expected / np.sqrt(1 + 1e-3), 0, 6)  # a norm that has seen nothing yet
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_relu6_and_linear_projection(spec, rng):
    """Hidden values stay in [0, 6]; what a block gives on is not clipped."""
    x = 40 * jnp.asarray(rng.standard_normal((2, 4, 4, 8)), jnp.float32)
    norm = lite.NormReLU6(spec)

    def convolve(scale):
        return x if scale is None else x * scale

    y = norm.apply(norm.init(KEYS, convolve, 8, train=False), convolve, 8, train=False)
    np.testing.assert_allclose(y, jnp.clip(x / np.sqrt(1 + 1e-3), 0, 6), rtol=1e-5)
    block = lite.Block(spec, lite.Stage(1, 3, 1, 6, 8), 1)
    z = block.apply(block.init(KEYS, x, train=False), x, train=False)
    assert z.min() < 0
    # The shortcut: with a projection of 0 a block of equal channels gives back what it got.
    variables = block.init(KEYS, x, train=False)
    variables["params"]["project"]["kernel"] *= 0
    np.testing.assert_allclose(block.apply(variables, x, train=False), x, rtol=1e-6)


@pytest.mark.parametrize("stride", [1, 2])
def test_cpu_operations_agree(spec, rng, stride):
    x = jnp.asarray(rng.standard_normal((2, 8, 8, 8)), jnp.float32)
    fast = lite.dataclasses.replace(spec, ops=cpu)
    stage = lite.Stage(1, 5, stride, 6, 8)

    def loss(spec, ops, variables, x):
        block = lite.Block(spec, stage, stride)
        y = block.apply(variables, ops.load(x, jnp.float32), train=True, mutable="batch_stats")[0]
        return jnp.sum(ops.unload(y) ** 3)

    variables = lite.Block(spec, stage, stride).init(KEYS, x, train=True)
    found, expected = (
        jax.jit(jax.value_and_grad(functools.partial(loss, s, ops), (0, 1)))(variables, x)
        for s, ops in ((fast, cpu), (spec, reference))
    )
    scale = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(expected))
    chex.assert_trees_all_close(found, expected, rtol=1e-4, atol=1e-5 * scale)


@pytest.fixture
def short(monkeypatch, spec, rng):
    """An encoder with one block a stage, which compiles fast; its variables and an image."""
    stages = tuple(lite.dataclasses.replace(stage, repeats=1) for stage in lite._STAGES)
    monkeypatch.setattr(lite, "_STAGES", stages)
    image = jnp.asarray(rng.random((2, 32, 32, 1)), jnp.float32)

    def build(**fields):
        encoder = lite.EfficientNetLite(spec, "efficientnet_lite0", 4, jnp.float32, **fields)
        init = jax.jit(functools.partial(encoder.init, train=True))
        return encoder, init(KEYS, image), image

    return build


def test_gradient_reaches_every_parameter(short):
    encoder, variables, image = short()

    @jax.jit
    def gradient(params):
        def loss(params):
            tree = {**variables, "params": params}
            features, _ = encoder.apply(tree, image, train=True, mutable="batch_stats")
            return sum(jnp.sum(x**3) for x in features)

        return jax.grad(loss)(params)

    dead = [
        jax.tree_util.keystr(path)
        for path, leaf in jax.tree_util.tree_leaves_with_path(gradient(variables["params"]))
        if not jnp.any(leaf) or not jnp.isfinite(leaf).all()
    ]
    assert dead == []


def test_sizes_are_checked_against_the_stride():
    network = architectures.build(model(encoder="efficientnet_lite0"))
    with pytest.raises(UserError, match="next size that fits is 64 x 32"):
        jax.eval_shape(functools.partial(network.init, train=True), KEYS, jnp.zeros((1, 48, 32, 1)))
    deep = {"encoder": "efficientnet_lite0", "prune": 5}  # deeper than model.depth
    with pytest.raises(UserError, match="the next size that fits is 64"):
        Config().but(model=deep, data={"image_size": 48})
    assert Config().but(model=deep, data={"image_size": 64}).model.halvings == 5


def test_tables_fit():
    assert FIELDS["model.encoder"].choices == tuple(architectures.ENCODERS)
    depth = len(lite.STRIDES) - 1
    assert all(model(encoder=name).halvings == depth == 5 for name in lite.VARIANTS)
    assert model(depth=3).halvings == 3


@pytest.mark.parametrize("frozen", [False, True])
def test_published_statistics_can_be_kept(short, frozen):
    """Those of the finest level, which nothing published has, are trained in any case."""
    encoder, variables, image = short(frozen_norms=frozen)
    apply = jax.jit(functools.partial(encoder.apply, train=True, mutable="batch_stats"))
    _, updated = apply(variables, image)
    before, after = (tree["batch_stats"] for tree in (variables, updated))
    same = jax.tree.map(lambda a, b: bool((a == b).all()), before, after)
    assert not any(jax.tree.leaves(same.pop("finest")))
    assert all(jax.tree.leaves(same)) == frozen


def test_the_field_freezes_the_norms():
    for norms in ("trained", "frozen"):
        config = model(encoder="efficientnet_lite0", encoder_norms=norms)
        encoder = architectures.build(config).encoder
        assert encoder.frozen_norms == (norms == "frozen")
