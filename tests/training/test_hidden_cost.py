"""What a run must not cost: a second compilation, a copy to a device that nobody asked for."""

import contextlib
import logging
import re
import warnings

import jax
import pytest
from etils import epath

from busjax import crossval, waiting
from busjax.runs.history import read
from busjax.training import loop, program
from busjax.training.epoch import Epoch

COMPILED = re.compile(r"Compiling jit\((\w+)\)")


@pytest.fixture(autouse=True)
def _nothing_compiled():
    for thread in list(waiting._AT_WORK):  # what another test has begun would be counted here
        thread.join()
    program.compiled.cache_clear()


@contextlib.contextmanager
def logged_compiles():
    """In all threads; jax.log_compiles() is of one."""
    jax.config.update("jax_log_compiles", True)
    try:
        yield
    finally:
        jax.config.update("jax_log_compiles", False)


def compiled(caplog):
    """The names of the functions that were compiled, as often as each was."""
    return [found[1] for said in caplog.messages if (found := COMPILED.match(said))]


@pytest.fixture(params=["shard_map", "pmap"])
def fields(request, config):
    """Two epochs; the last batches of training (31), validation (7) and test (10) are short."""
    config = config.but(parallel={"map": request.param, "devices": 4})
    config = config.but(model={"depth": 1, "classifier_dropout": 0.5})
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
    with logged_compiles(), caplog.at_level(logging.WARNING):
        train(fields, tmp_path)
    assert len(starts) == 2 * 4 + 1
    # Nothing at all after the first epoch, its validation and its checkpoint.
    assert not [said for said in caplog.messages[starts[4] : starts[-1]] if COMPILED.match(said)]
    names = compiled(caplog)
    expected = {"shard_map": {"train_step": 1, "eval_step": 1}, "pmap": {"_fun": 2}}
    for name, times in expected[fields.parallel.map].items():
        assert names.count(name) == times


def test_a_run_that_has_ended_compiles_no_train_step(config, train, tmp_path, caplog):
    config = config.but(model={"depth": 1}, train={"epochs": 1})
    train(config, tmp_path)
    program.compiled.cache_clear()
    with logged_compiles(), caplog.at_level(logging.WARNING):
        train(config, tmp_path)
    names = compiled(caplog)
    assert names.count("train_step") == 0
    assert names.count("eval_step") == 1


def test_folds_seeds_rates_and_lengths_share_what_is_compiled(config, tmp_path, caplog):
    with logged_compiles(), caplog.at_level(logging.WARNING), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of tensorboardX
        for seed, rate, epochs in ((0, 1e-3, 1), (1, 2e-3, 2)):
            changed = config.but(
                seed=seed,
                model={"depth": 1},
                cv={"folds": 2, "seed": seed},
                train={"epochs": epochs},
                optim={
                    "learning_rate": rate,
                    "weight_decay": rate,
                    "warmup_fraction": 0.1 + seed / 2,
                },
                loss={"classification": 1.0 + seed, "dice": 0.5 + seed},
            )
            folder = epath.Path(tmp_path / str(seed))
            folder.mkdir()
            crossval.cross_validate(changed, folder)
    names = compiled(caplog)
    for name in ("train_step", "eval_step", "init_variables"):
        assert names.count(name) == 1
    first, second = (read(tmp_path / f"{seed}/fold_1")[0] for seed in (0, 1))
    assert first["learning_rate"] != second["learning_rate"]
    assert first["train"]["loss"] != second["train"]["loss"]


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
