"""The schedule and the Optax chain."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from busjax import flat
from busjax.training import optim
from busjax.training.hyperparameters import form_of, hyperparameters_of


def _optimizer(config, total_steps):
    return optim.optimizer(form_of(config), hyperparameters_of(config, total_steps))


def _rate(config, total_steps):
    return functools.partial(optim.learning_rate, hyperparameters_of(config, total_steps))


def test_schedule_warms_up_and_follows_a_cosine(config):
    config = config.but(
        optim={"learning_rate": 0.1, "warmup_fraction": 0.1, "final_fraction": 0.01}
    )
    rate = _rate(config, 100)
    np.testing.assert_allclose([rate(0), rate(5), rate(10)], [0.01, 0.055, 0.1], rtol=1e-5)
    np.testing.assert_allclose(rate(55), 0.1 * (0.01 + 0.99 * 0.5), rtol=1e-4)
    np.testing.assert_allclose(rate(100), 0.001, rtol=1e-4)


@pytest.mark.parametrize(("warmup", "steps"), [(0.05, 480), (0.0, 7), (0.3, 10), (1.0, 5)])
def test_schedule_is_that_of_optax(config, warmup, steps):
    config = config.but(optim={"warmup_fraction": warmup})
    count, peak = min(round(warmup * steps), steps - 1), config.optim.learning_rate
    expected = optax.warmup_cosine_decay_schedule(
        peak / max(count, 1), peak, count, steps, peak * config.optim.final_fraction
    )
    index = jnp.arange(steps + 3)
    np.testing.assert_allclose(_rate(config, steps)(index), expected(index), rtol=1e-5)


def test_schedule_of_one_step_is_finite(config):
    assert np.isfinite(_rate(config, 1)(0))


def test_weight_decay_spares_scales_and_biases(config):
    config = config.but(optim={"weight_decay": 0.1, "warmup_fraction": 0.0, "learning_rate": 0.5})
    params = _flat({"decoder": {"kernel": jnp.ones((2, 2)), "scale": jnp.ones(2)}})
    optimizer = _optimizer(config, 10)
    zeros = jax.tree.map(jnp.zeros_like, params)
    updates, _ = optimizer.update(zeros, optimizer.init(params), params)
    updates = updates["network"].tree["decoder"]
    np.testing.assert_allclose(updates["kernel"], -0.5 * 0.1 * np.ones((2, 2)), rtol=1e-5)
    np.testing.assert_array_equal(updates["scale"], 0.0)
    np.testing.assert_array_equal(optim.decayed({"uncertainties": {"segmentation": 0.0}})
                                  ["uncertainties"]["segmentation"], False)  # fmt: skip


@pytest.mark.parametrize(("clip_norm", "same"), [(1.0, True), (0.0, False)])
def test_gradients_are_clipped(config, clip_norm, same):
    """Adam forgets the scale of a lone gradient, so two of different size tell."""
    config = config.but(optim={"clip_norm": clip_norm})
    params = {"kernel": jnp.zeros((1, 2))}
    first, moved = {"kernel": jnp.array([[3.0, 4.0]])}, []
    for factor in (1.0, 100.0):
        optimizer = _optimizer(config, 10)
        state = optimizer.init(params)
        _, state = optimizer.update(optax.tree.scale(factor, first), state, params)
        updates, _ = optimizer.update({"kernel": jnp.array([[0.3, 0.4]])}, state, params)
        moved.append(updates["kernel"])
    assert np.allclose(*moved, rtol=1e-3) == same


def _flat(network):
    return {"network": flat.flatten(network, optim.group_of)}


def moved(config, steps):
    """How far each of four kernels has moved after so many steps of one gradient."""
    kernel = jnp.ones((2, 2))
    params = _flat({"encoder": {"stem": {"kernel": kernel}, "finest": {"kernel": kernel}},
                    "decoder": {"kernel": kernel}})  # fmt: skip
    start, optimizer = params, _optimizer(config, 10)
    state = optimizer.init(params)
    for _ in range(steps):
        updates, state = optimizer.update(start, state, params)
        params = optax.apply_updates(params, updates)
    network = params["network"].tree
    return {
        "stem": float(jnp.abs(network["encoder"]["stem"]["kernel"] - kernel).max()),
        "finest": float(jnp.abs(network["encoder"]["finest"]["kernel"] - kernel).max()),
        "decoder": float(jnp.abs(network["decoder"]["kernel"] - kernel).max()),
    }


def test_the_encoder_moves_at_its_own_rate(config):
    config = config.but(optim={"encoder_rate": 0.25}, train={"epochs": 5})
    found = moved(config, 3)
    assert found["stem"] == pytest.approx(0.25 * found["decoder"], rel=1e-3)
    assert found["finest"] == found["decoder"] > 0


def test_the_encoder_is_frozen_for_its_first_epochs(config):
    """Of ten steps in five epochs the first four; weight decay does not move it either."""
    config = config.but(
        optim={"encoder_frozen_epochs": 2, "weight_decay": 0.1}, train={"epochs": 5}
    )
    assert moved(config, 4)["stem"] == 0
    assert moved(config, 4)["decoder"] > 0
    assert moved(config, 5)["stem"] > 0


def test_the_ordinary_chain_keeps_its_form(config):
    """So that checkpoints of earlier runs fit."""
    params = {"network": {"encoder": {"kernel": jnp.ones((2, 2))}}}
    assert len(_optimizer(config, 10).init(params)) == 2
    config = config.but(optim={"encoder_rate": 0.5})
    assert len(_optimizer(config, 10).init(params)) == 3
