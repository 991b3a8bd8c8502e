"""A run that is killed and started again ends as one that was not."""

import itertools
import re
import shutil
import signal
import warnings
from contextlib import closing

import chex
import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from busjax import flat
from busjax.data.readers.phantom import PhantomSource
from busjax.data.splits import draw_split
from busjax.errors import Preempted, UserError
from busjax.runs import checksums
from busjax.runs.checkpoint import FOLDER, Checkpoints, restore_best
from busjax.training import loop
from busjax.training.preemption import Watch
from busjax.training.program import Program
from tests.finished import final_state, untimed_history


class Killed(BaseException):
    pass


@pytest.fixture(autouse=True)
def _quiet():
    # tensorboardX still calls what NumPy and protobuf deprecate.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@pytest.fixture(scope="module")
def source():
    return PhantomSource(48, 0, 16)


@pytest.fixture
def run(config, source):
    """The configuration of three short epochs with dropout, and the split."""
    config = config.but(train={"epochs": 3}, model={"depth": 1, "classifier_dropout": 0.5})
    return config, draw_split(source.ids, source.labels, source.groups, 0.25, 0.0, 0)


def as_of_an_earlier_version(config, folder):
    """Rewrites the latest checkpoint as it was saved once: every tensor by itself, one item."""
    step, (state, _) = final_state(config, folder)
    path = folder / FOLDER / str(step)
    best = restore_best(folder)
    with closing(ocp.StandardCheckpointer()) as writer:
        writer.save((path / "state").resolve(), flat.unflatten(state), force=True)
    shutil.rmtree(path / "evaluated")
    checksums.write(path, but="_CHECKPOINT_METADATA")
    assert restore_best(folder)[0] == best[0] == step
    chex.assert_trees_all_equal(restore_best(folder)[1], best[1])


@pytest.mark.parametrize("change", [lambda *_: None, as_of_an_earlier_version])
def test_killed_and_resumed_bit_for_bit(run, source, tmp_path, monkeypatch, change):
    config, split = run
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    loop.train(config, whole, source, split)

    def kill_in_the_third_epoch(self, row, append=loop.History.append):
        if row["epoch"] == 3:
            raise Killed
        append(self, row)

    with monkeypatch.context() as patch:
        patch.setattr(loop.History, "append", kill_in_the_third_epoch)
        with pytest.raises(Killed):
            loop.train(config, killed, source, split)
    assert len(untimed_history(killed)) == 2
    change(config, killed)
    loop.train(config, killed, source, split)

    (step, (state, data)), (again, (resumed, resumed_data)) = (
        final_state(config, folder) for folder in (whole, killed)
    )
    assert step == again == 3 * 5  # 36 images in batches of 8
    assert data == resumed_data
    chex.assert_trees_all_equal(jax.device_get(resumed), jax.device_get(state))
    assert untimed_history(killed) == untimed_history(whole)


def test_ended_by_sigterm_after_any_step_and_resumed_bit_for_bit(
    run, source, tmp_path, monkeypatch
):
    """Steps 2 and 4 are in the midst of an epoch, 5 is its end, 6 the first after a resumption."""
    config, split = run
    whole, ended = tmp_path / "whole", tmp_path / "ended"
    loop.train(config, whole, source, split)
    for last in (2, 4, 5, 6):
        with monkeypatch.context() as patch:
            patch.setattr(loop.Watch, "told", lambda self, step, last=last: step == last)
            with pytest.raises(Preempted):
                loop.train(config, ended, source, split)
        with closing(Checkpoints(ended, read_only=True)) as checkpoints:
            assert checkpoints.latest_step() == last
            # What stands in the midst of an epoch is never evaluated.
            assert checkpoints.best_step() == (5 if last >= 5 else None)
    loop.train(config, ended, source, split)
    (step, (state, _)), (again, (resumed, _)) = (
        final_state(config, folder) for folder in (whole, ended)
    )
    assert step == again
    chex.assert_trees_all_equal(jax.device_get(resumed), jax.device_get(state))
    assert untimed_history(ended) == untimed_history(whole)


def test_sigterm_is_noted_while_it_is_watched_and_only_then():
    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        watch = Watch()
        assert not watch.told(1)
        signal.raise_signal(signal.SIGTERM)
        assert watch.told(2)
        assert watch.told(3)
        assert not heard
        watch.close()
        signal.raise_signal(signal.SIGTERM)
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_finished_run_is_left_as_it_is(run, source, tmp_path):
    config, split = run
    config = config.but(train={"epochs": 1})
    loop.train(config, tmp_path, source, split)
    before = untimed_history(tmp_path)
    loop.train(config, tmp_path, source, split)
    assert untimed_history(tmp_path) == before
    assert before[0]["validation"]["n_images"] == 12
    assert 0 <= before[0]["validation"]["dice_average"] <= 1


def _with_bad_steps(monkeypatch, *bad):
    """NaN in the first image of the batch of these steps, counted over all starts."""
    count = itertools.count(1)

    def train_step(self, state, batch, take=Program.train_step):
        if next(count) in bad:
            batch = {**batch, "image": batch["image"].copy()}
            batch["image"][0] = np.nan
        return take(self, state, batch)

    monkeypatch.setattr(Program, "train_step", train_step)


def test_not_finite_stops_and_names_step_images_and_checkpoint(run, source, tmp_path, monkeypatch):
    config, split = run
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    loop.train(config, whole, source, split)
    with monkeypatch.context() as patch:
        _with_bad_steps(patch, 7)
        with pytest.raises(UserError) as told:
            loop.train(config, stopped, source, split)
    found = re.fullmatch(
        r"the loss or its gradient is not finite at step 7; images of the batch: (.*); last "
        r"checkpoint: step 5\. .*config.train.skip_nonfinite=N.*",
        str(told.value),
    )
    ids = found[1].split(", ")
    assert len(ids) == 8
    assert set(ids) <= set(split.train)
    # Nothing bad was saved: without the cause, the run ends as one that never saw it.
    loop.train(config, stopped, source, split)
    (_, (state, _)), (_, (resumed, _)) = (final_state(config, f) for f in (whole, stopped))
    chex.assert_trees_all_equal(jax.device_get(resumed), jax.device_get(state))
    assert untimed_history(stopped) == untimed_history(whole)


def test_updates_that_are_not_finite_can_be_skipped(run, source, tmp_path, monkeypatch, capsys):
    config, split = run
    config = config.but(train={"skip_nonfinite": 2})
    with monkeypatch.context() as patch:
        _with_bad_steps(patch, 2, 4, 5, 8)
        loop.train(config, tmp_path / "skipped", source, split)
    rows = untimed_history(tmp_path / "skipped")
    assert [row["skipped"] for row in rows] == [3, 1, 0]
    assert all(np.isfinite(row["train"]["loss"]) for row in rows)
    said = capsys.readouterr().out
    assert "at step 5: update skipped (2 of at most 2 in a row)" in said
    with monkeypatch.context() as patch:
        _with_bad_steps(patch, 6, 7, 8)
        with pytest.raises(UserError, match="not finite at step 8"):
            loop.train(config, tmp_path / "stopped", source, split)


def test_divergence_is_told(run, source, tmp_path, monkeypatch):
    config, split = run

    def not_finite(self, variables, batches):
        return {"classes": np.full((12, 3), np.nan)}

    monkeypatch.setattr(Program, "evaluate", not_finite)
    with pytest.raises(UserError, match="diverged"):
        loop.train(config, tmp_path, source, split)
