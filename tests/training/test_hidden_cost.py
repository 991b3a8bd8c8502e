"""What a run must not cost: a second compilation, a copy to a device that nobody asked for."""

import logging
import re

import jax
import pytest

from busjax.training import loop
from busjax.training.epoch import Epoch

COMPILED = re.compile(r"Compiling jit\((\w+)\)")


@pytest.fixture(params=["shard_map", "pmap"])
def fields(request, config):
    """Two epochs; the last batches of training (31), validation (7) and test (10) are short."""
    config.parallel.map, config.parallel.devices = request.param, 4
    config.model.update({"depth": 1, "classifier_dropout": 0.5})
    return config


def test_steps_compile_once(fields, train, tmp_path, caplog, monkeypatch):
    starts = []

    def take_step(self, *arguments, step=Epoch.take_step):
        starts.append(len(caplog.messages))
        return step(self, *arguments)

    def close(self, end=loop.History.close):
        starts.append(len(caplog.messages))
        end(self)

    monkeypatch.setattr(Epoch, "take_step", take_step)
    monkeypatch.setattr(loop.History, "close", close)
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        train(fields, tmp_path)
    assert len(starts) == 2 * 4 + 1
    # Nothing at all after the first epoch, its validation and its checkpoint.
    assert not [said for said in caplog.messages[starts[4] : starts[-1]] if COMPILED.match(said)]
    names = [found[1] for said in caplog.messages if (found := COMPILED.match(said))]
    # The test images are evaluated by a program of their own.
    expected = {"shard_map": {"train_step": 1, "eval_step": 2}, "pmap": {"_fun": 3}}
    for name, times in expected[fields.parallel.map].items():
        assert names.count(name) == times


def test_nothing_is_copied_to_the_devices_unasked(fields, train, tmp_path, monkeypatch):
    """Nor between them; copies to the host are told on an accelerator only."""
    steps = []

    def guarded(self, step=loop._Training.step):
        # The first compiles, for which constants are copied.
        with jax.transfer_guard("disallow" if steps else "allow"):
            step(self)
        steps.append(self.done)

    monkeypatch.setattr(loop._Training, "step", guarded)
    train(fields, tmp_path)
    assert steps == [0, 0, 0, 1, 1, 1, 1, 2]
