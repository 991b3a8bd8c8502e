"""A run that starts from what another one has learnt; published weights: tests/models/weights."""

import chex
import jax
import numpy as np
import pytest

from busjax.errors import UserError
from busjax.runs import configuration
from busjax.runs.checkpoint import restore_best
from busjax.training import initialization
from busjax.training.program import Program


@pytest.fixture
def other(run_folder):
    """The configuration of a run like the shared one, that starts from it."""
    return configuration.read(run_folder).but(seed=7, train={"init_from": str(run_folder)})


def learnt(run_folder):
    return restore_best(run_folder)[1]


def started(config):
    return jax.device_get(initialization.start(Program(config, 10), config))


def drawn(config):
    return started(config.but(train={"init_from": ""}))


def test_all_that_fits_is_taken_over(other, run_folder, capsys):
    state, found = started(other), learnt(run_folder)
    chex.assert_trees_all_equal(state.params["network"].tree, found["params"])
    chex.assert_trees_all_equal(state.ema.tree, found["params"])
    chex.assert_trees_all_equal(state.batch_stats, found["batch_stats"])
    assert state.step == 0
    count = len(jax.tree.leaves(found["params"]))
    told = capsys.readouterr().out
    assert f"from {run_folder}: {count} tensors of step" in told
    assert "drawn anew" not in told


def test_the_encoder_alone(other, run_folder, capsys):
    other = other.but(train={"init_parts": "encoder"})
    state, found, plain = started(other), learnt(run_folder), drawn(other)
    network, other_network = state.params["network"].tree, plain.params["network"].tree
    chex.assert_trees_all_equal(network["encoder"], found["params"]["encoder"])
    for part in ("decoder", "classifier"):
        chex.assert_trees_all_equal(network[part], other_network[part])
    chex.assert_trees_all_equal(state.batch_stats["encoder"], found["batch_stats"]["encoder"])
    chex.assert_trees_all_equal(state.batch_stats["decoder"], plain.batch_stats["decoder"])
    assert "drawn anew" in capsys.readouterr().out


def test_another_decoder_gets_what_has_its_name_and_shape(other, run_folder, capsys):
    other = other.but(model={"name": "unetpp", "classifier_hidden": 4})
    state, found, plain = started(other), learnt(run_folder), drawn(other)
    network, other_network = state.params["network"].tree, plain.params["network"].tree
    chex.assert_trees_all_equal(network["encoder"], found["params"]["encoder"])
    chex.assert_trees_all_equal(network["decoder"], other_network["decoder"])
    hidden = network["classifier"]["hidden"]["kernel"]  # of another shape
    np.testing.assert_array_equal(hidden, other_network["classifier"]["hidden"]["kernel"])
    assert "classifier/hidden" in capsys.readouterr().out


def test_nothing_that_fits_and_no_run(other, tmp_path):
    other = other.but(model={"width": 6, "classifier_hidden": 12}, train={"init_parts": "encoder"})
    with pytest.raises(UserError, match="not one tensor fits"):
        started(other)
    other = other.but(train={"init_from": str(tmp_path)})
    with pytest.raises(UserError, match="holds no run"):
        started(other)
