"""The nested decoder: which node reads which, and pruning."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from busjax.models.blocks import BlockSpec
from busjax.models.unetpp import UNetPlusPlusDecoder
from busjax.ops import reference

DEPTH = 4


@pytest.fixture(scope="module")
def features():
    rng = np.random.default_rng(0)
    shapes = [(2, 32 >> i, 32 >> i, 2 << i) for i in range(DEPTH + 1)]
    return [jnp.asarray(rng.standard_normal(shape), jnp.float32) for shape in shapes]


@pytest.fixture(scope="module")
def decoder(features):
    spec = BlockSpec(reference, activation_slope=0.1)
    decoder = UNetPlusPlusDecoder(spec)
    variables = jax.jit(decoder.init, static_argnums=2)(jax.random.key(0), features, True)
    return jax.jit(decoder.apply, static_argnums=2), variables


def _columns(apply, variables, features):
    """{j: X[0,j]} and the feature for the classifier."""
    finest, coarse = apply(variables, features, False)
    return {DEPTH - i: x for i, x in enumerate(finest)}, coarse


def test_reach_of_every_encoder_feature(decoder, features):
    """X[0,j] reads X[0..j,0] and nothing coarser; X[0,1] in particular not X[4,0]."""
    before, _ = _columns(*decoder, features)
    assert sorted(before) == [1, 2, 3, 4]
    for i in range(DEPTH + 1):
        changed = [x + 1.0 if level == i else x for level, x in enumerate(features)]
        after, _ = _columns(*decoder, changed)
        for j in range(1, DEPTH + 1):
            moved = float(jnp.abs(after[j] - before[j]).max())
            assert (moved > 0) == (i <= j), f"X[0,{j}] and X[{i},0]"


def test_node_joins_all_earlier_nodes_of_its_level(decoder, features):
    _, variables = decoder
    for i in range(DEPTH):
        for j in range(1, DEPTH + 1 - i):
            channels = 2 << i
            kernel = variables["params"][f"x_{i}_{j}"]["conv_0"]["kernel"]
            chex.assert_shape(kernel, (3, 3, (j + 1) * channels, channels))
    nodes = [name for name in variables["params"] if name.startswith("x_")]
    assert len(nodes) == DEPTH * (DEPTH + 1) // 2


def test_classifier_feature_is_x_3_1(decoder, features):
    _, coarse = _columns(*decoder, features)
    chex.assert_shape(coarse, features[DEPTH - 1].shape)
    for i, reads in ((DEPTH, True), (DEPTH - 1, True), (0, False)):
        changed = [x + 1.0 if level == i else x for level, x in enumerate(features)]
        _, after = _columns(*decoder, changed)
        assert bool(jnp.abs(after - coarse).max() > 0) == reads


@pytest.mark.parametrize("prune", [1, 2, 3, 4])
def test_pruning_keeps_the_values_of_what_is_left(spec, decoder, features, prune):
    _, variables = decoder
    whole, coarse = _columns(*decoder, features)
    spec = dataclasses.replace(spec, activation_slope=0.1)
    pruned = jax.jit(UNetPlusPlusDecoder(spec, prune=prune).apply, static_argnums=2)
    finest, pruned_coarse = pruned(variables, features, False)
    assert len(finest) == prune
    chex.assert_trees_all_close(finest[0], whole[prune], rtol=1e-4, atol=1e-4)
    chex.assert_trees_all_close(pruned_coarse, coarse, rtol=1e-4, atol=1e-4)


def test_pruning_saves_work(spec, decoder, features):
    def flops(prune):
        apply = jax.jit(UNetPlusPlusDecoder(spec, prune=prune).apply, static_argnums=2)
        return apply.lower(decoder[1], features, False).cost_analysis()["flops"]

    assert flops(1) < 0.5 * flops(3) < 0.5 * flops(0)
