"""One device against four, pmap against shard_map, micro-batches, padding, overfitting."""

import functools
from types import SimpleNamespace

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from busjax.config import Config, Parallel
from busjax.errors import UserError
from busjax.models.prediction import Ensemble
from busjax.training import parallel
from busjax.training.program import Program


def _config(config, **fields):
    # Plain gradient steps are compared, not Adam's, which makes much of a rounding error.
    changed = config.but(
        optim={"learning_rate": 1e-2, "warmup_fraction": 0.0, "ema_decay": 0.5},
        model={"dtype": "float32", "name": "unetpp", "depth": 1, "width": 4},
    )
    return Config.from_flat({**changed.flat(), **fields})


def _run(config, batch, steps=2):
    program = Program(config, 10)
    state = program.init_state()
    for _ in range(steps):
        state, scalars = program.train_step(state, batch)
    evaluated = program.evaluate(Ensemble((state.evaluated,)), [batch])
    return jax.device_get((state, scalars)), evaluated


@pytest.fixture(scope="module")
def one_device():
    """Results of the run that the others are compared with, computed once."""
    return {}


def _reference(one_device, config, batch):
    if not one_device:
        one_device["run"] = _run(_config(config, **_DROPOUT), batch)
    return one_device["run"]


_DROPOUT = {"model.dropout": 0.2, "model.classifier_dropout": 0.5}


@pytest.mark.parametrize(("how", "devices"), [("shard_map", 4), ("pmap", 1), ("pmap", 4)])
def test_the_same_numbers_however_mapped(config, batch, one_device, how, devices):
    """Batch norm, the gradient's sum, dropout and padding included: the last image is not valid."""
    batch = {**batch, "valid": np.array([1] * 7 + [0], np.float32)}
    (state, scalars), evaluated = _reference(one_device, config, batch)
    mapped = _config(config, **{"parallel.map": how, "parallel.devices": devices, **_DROPOUT})
    (other, other_scalars), other_evaluated = _run(mapped, batch)
    chex.assert_trees_all_close(other_scalars, scalars, rtol=1e-4)
    chex.assert_trees_all_close(other.batch_stats, state.batch_stats, rtol=1e-3, atol=1e-4)
    chex.assert_trees_all_close(other.params, state.params, rtol=1e-3, atol=1e-4)
    chex.assert_trees_all_close(other.ema, state.ema, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(other_evaluated["index"], np.arange(7))
    np.testing.assert_allclose(other_evaluated["classes"], evaluated["classes"], atol=1e-3)
    np.testing.assert_allclose(other_evaluated["loss"], evaluated["loss"], rtol=1e-3)


def test_micro_batches_add_up_to_the_batch(config, batch):
    """With a norm per image; batch norm would see other batches."""
    whole, parts = (
        _run(_config(config, **{"model.norm": "group", "optim.micro_batches": n}), batch)[0]
        for n in (1, 4)
    )
    chex.assert_trees_all_close(parts[1], whole[1], rtol=1e-4)
    chex.assert_trees_all_close(parts[0].params, whole[0].params, rtol=1e-3, atol=1e-4)


def test_padding_counts_nowhere(config, batch):
    """With a norm per image: what stands in an invalid row must not change anything."""
    config = _config(config, **{"model.norm": "group"})
    valid = np.array([1] * 6 + [0] * 2, np.float32)
    garbage = {**batch, "image": batch["image"].copy(), "mask": batch["mask"].copy()}
    garbage["image"][6:], garbage["mask"][6:] = 1.0, 1.0
    clean, dirty = (_run(config, {**b, "valid": valid}) for b in (batch, garbage))
    chex.assert_trees_all_close(dirty[0][1], clean[0][1], rtol=1e-6)
    chex.assert_trees_all_close(dirty[0][0].params, clean[0][0].params, rtol=1e-6)
    assert len(dirty[1]["index"]) == 6


@pytest.mark.parametrize("devices", [1, 4])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_not_taken_over(config, batch, value, devices):
    """One pixel of one device's share; then the state is as it was, on all of them."""
    config = _config(config, **{"parallel.devices": devices})
    program = Program(config, 10)
    before = program.init_state()
    expected = jax.device_get(before)
    bad = {**batch, "image": batch["image"].copy()}
    bad["image"][5, 3, 3, 0] = value
    after, scalars = program.train_step(before, bad)
    assert float(scalars["finite"]) == 0.0
    chex.assert_trees_all_equal(jax.device_get(after), expected.replace(step=1))
    again, scalars = program.train_step(after, batch)
    assert float(scalars["finite"]) == 1.0
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(jax.device_get(again.params)))


def test_the_guard_is_one_branch(config, batch):
    """A choice for every leaf costs XLA:CPU more to compile than the network and its gradient."""
    program = Program(_config(config), 10)
    lowered = program.steps[0].lower(
        program.abstract_state(),
        program.numbers,
        parallel.shard_batch(batch, program.mesh, "shard_map"),
    )
    assert lowered.as_text().count("stablehlo.case") == 1


def test_scalars_and_counts_are_what_they_say(config, batch):
    (_, scalars), evaluated = _run(_config(config), batch, steps=1)
    assert sorted(scalars) == ["accuracy", "bce", "classification", "dice", "finite", "loss"]
    expected = scalars["dice"] + scalars["bce"] + 0.5 * scalars["classification"]
    np.testing.assert_allclose(scalars["loss"], expected, rtol=1e-5)
    drawn = evaluated["mask"] >= 0.5
    target = batch["mask"][..., 0] > 0
    np.testing.assert_array_equal(evaluated["tp"], (drawn & target).sum((1, 2)))
    np.testing.assert_array_equal(evaluated["fp"], (drawn & ~target).sum((1, 2)))
    np.testing.assert_array_equal(evaluated["fn"], (~drawn & target).sum((1, 2)))
    np.testing.assert_array_equal(evaluated["tn"], (~drawn & ~target).sum((1, 2)))
    correct = evaluated["classes"].argmax(1) == batch["label"]
    np.testing.assert_array_equal(evaluated["accuracy"], correct)


def test_learnt_weights_learn(config, batch):
    config = _config(config, **{"loss.weighting": "uncertainty"})
    (state, _), evaluated = _run(config, batch, steps=3)
    assert all(abs(s) > 1e-4 for s in state.params["uncertainties"].values())
    assert (evaluated["loss"] >= 0).all()  # compared between epochs: with the fixed weights


def test_ema_follows_the_weights_and_can_be_left_out(config, batch):
    (state, _), _ = _run(_config(config), batch, steps=1)
    start = jax.device_get(Program(_config(config), 10).init_state()).params["network"]
    # (1 + 0) / (10 + 0) of the old at the first step.
    expected = jax.tree.map(lambda a, b: 0.1 * a + 0.9 * b, start, state.params["network"])
    chex.assert_trees_all_close(state.ema, expected, rtol=1e-4, atol=1e-6)
    chex.assert_trees_all_equal(state.evaluated["params"], state.ema.tree)
    (state, _), _ = _run(_config(config, **{"optim.ema_decay": 0.0}), batch, steps=1)
    assert state.ema is None
    chex.assert_trees_all_equal(state.evaluated["params"], state.params["network"].tree)


def test_ten_steps_overfit_a_batch(config, batch):
    program = Program(_config(config), 100)
    state, losses = program.init_state(), []
    for _ in range(10):
        state, scalars = program.train_step(state, batch)
        losses.append(float(scalars["loss"]))
    assert losses[-1] < 0.75 * losses[0]
    assert np.isfinite(losses).all()


def test_dropout_differs_by_step(config, batch):
    config = _config(config, **{"model.classifier_dropout": 0.5, "optim.learning_rate": 1e-12})
    program = Program(config, 10)
    state = program.init_state()
    found = []
    for _ in range(2):
        state, scalars = program.train_step(state, batch)
        found.append(float(scalars["classification"]))
    assert abs(found[0] - found[1]) > 1e-4


@pytest.mark.parametrize("how", ["shard_map", "pmap"])
def test_dropout_differs_by_device(config, batch, how):
    """The same two images on every device, one device at a time alone valid: all draws differ."""
    config = _config(config, **{"model.classifier_dropout": 0.5, "model.norm": "group"})
    config = config.but(parallel={"map": how, "devices": 4})
    same = {
        name: np.tile(values[:2], (4,) + (1,) * (values.ndim - 1)) for name, values in batch.items()
    }
    losses = set()
    program = Program(config, 10)
    for device in range(4):
        valid = np.repeat(np.arange(4) == device, 2).astype(np.float32)
        _, scalars = program.train_step(program.init_state(), {**same, "valid": valid})
        losses.add(float(scalars["classification"]))
    assert len(losses) == 4


def test_abstract_state_is_the_state(config):
    program = Program(_config(config), 10)
    described = functools.partial(jax.tree.map, lambda x: (x.shape, x.dtype, x.sharding))
    assert described(program.abstract_state()) == described(program.init_state())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"parallel.devices": 5}, "this machine has 4"),
        ({"parallel.devices": 3}, "next size that fits is 9"),
        ({"optim.micro_batches": 3}, "next size that fits is 9"),
    ],
)
def test_fields_that_do_not_fit(config, fields, message):
    with pytest.raises(UserError, match=message):
        Program(_config(config, **fields), 10)


def test_options_reach_the_compiler(config, batch, monkeypatch):
    program = Program(_config(config), 10)
    gpus = SimpleNamespace(devices=np.array([SimpleNamespace(platform="gpu")]))
    asked = Parallel(autotune=1)
    assert parallel.compiler_options(asked, gpus) == {"xla_gpu_autotune_level": 1}
    assert parallel.compiler_options(asked, program.mesh) == {}
    state = program.init_state()
    monkeypatch.setattr(parallel, "compiler_options", lambda *_: {"xla_that_is_not_there": 1})
    with pytest.raises(Exception, match="xla_that_is_not_there"):
        Program(_config(config), 10).train_step(state, batch)


def test_state_is_donated(config, batch):
    program = Program(_config(config), 10)
    state = program.init_state()
    program.train_step(state, batch)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))


def test_fetch_gives_numpy():
    assert isinstance(parallel.fetch({"a": jnp.ones(2)})["a"], np.ndarray)
