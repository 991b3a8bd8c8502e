"""The gates of the gated U-Net."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from busjax.models.gates import AttentionGate, GateUnit


@pytest.fixture
def features(rng):
    x = jnp.asarray(rng.standard_normal((3, 8, 8, 16)), jnp.float32)
    coarser = jnp.asarray(rng.standard_normal((3, 4, 4, 32)), jnp.float32)
    return x, coarser


def _apply(gate, x, coarser, **params):
    variables = gate.init(jax.random.key(0), x, coarser, False)
    variables = {**variables, "params": {**variables["params"], **params}}
    y, sown = gate.apply(variables, x, coarser, False, mutable=["intermediates"])
    return y, {name: value[0] for name, value in sown["intermediates"].items()}, variables


@pytest.mark.parametrize("gate", [GateUnit, AttentionGate])
@pytest.mark.parametrize("factor", [1.0, 1000.0])
def test_gates_stay_in_0_1(spec, features, gate, factor):
    x, coarser = features
    y, gates, _ = _apply(gate(spec), factor * x, factor * coarser)
    chex.assert_equal_shape([y, x])
    for value in gates.values():
        assert value.min() >= 0
        assert value.max() <= 1


def test_gate_unit_by_its_formula(spec, features):
    x, coarser = features
    y, gates, variables = _apply(GateUnit(spec), x, coarser)
    p = variables["params"]
    chex.assert_shape([gates["a"], gates["m"]], (3, 1))

    def conv(x, kernel):
        dims = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=dims)

    def norm(x):  # the running statistics at the start: mean 0, variance 1
        return x / np.sqrt(1 + 1e-5)

    hidden = jax.nn.relu(norm(conv(x, p["squeeze"]["kernel"])))
    assert hidden.shape[-1] == 16 // 8
    s = jax.nn.sigmoid(conv(hidden, p["score"]["kernel"]) + p["score"]["bias"])
    a, m = s[..., 0].mean((1, 2))[:, None], s[..., 1].max((1, 2))[:, None]
    np.testing.assert_allclose(gates["a"], a, rtol=1e-5)
    np.testing.assert_allclose(gates["m"], m, rtol=1e-5)
    gated = a[:, :, None, None] * x + m[:, :, None, None] * x
    expected = jax.nn.relu(norm(conv(gated, p["conv"]["kernel"])))
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


def test_closed_gate_unit_lets_nothing_pass(spec, features):
    score = {"kernel": jnp.zeros((3, 3, 2, 2)), "bias": jnp.full(2, -100.0)}
    y, gates, _ = _apply(GateUnit(spec), *features, score=score)
    np.testing.assert_allclose(gates["a"] + gates["m"], 0, atol=1e-6)
    np.testing.assert_allclose(y, 0, atol=1e-6)


def test_attention_gate_by_its_formula(spec, features):
    x, coarser = features
    y, gates, variables = _apply(AttentionGate(spec), x, coarser)
    p = variables["params"]
    g = jax.image.resize(coarser, (3, 8, 8, 32), "bilinear")
    q = x @ p["w_x"]["kernel"][0, 0] + g @ p["w_g"]["kernel"][0, 0] + p["w_x"]["bias"]
    alpha = jax.nn.sigmoid(jax.nn.relu(q) @ p["psi"]["kernel"][0, 0] + p["psi"]["bias"])
    np.testing.assert_allclose(gates["alpha"], alpha, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(y, alpha * x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("bias", "share"), [(-100.0, 0.0), (100.0, 1.0)])
def test_attention_gate_closed_and_open(spec, features, bias, share):
    psi = {"kernel": jnp.zeros((1, 1, 8, 1)), "bias": jnp.array([bias])}
    y, _, _ = _apply(AttentionGate(spec), *features, psi=psi)
    np.testing.assert_allclose(y, share * features[0], atol=1e-6)


def test_only_the_attention_gate_reads_the_coarser_feature(spec, features):
    x, coarser = features
    for gate, reads in ((GateUnit(spec), False), (AttentionGate(spec), True)):
        before, after = (_apply(gate, x, c)[0] for c in (coarser, coarser + 1))
        assert bool(jnp.abs(before - after).max() > 0) == reads
