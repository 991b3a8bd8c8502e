"""history.jsonl: a line an epoch, written anew from where a run goes on."""

import json
import warnings
from contextlib import closing

import pytest

from busjax.training import history


@pytest.fixture(autouse=True)
def _quiet():
    # tensorboardX still calls what NumPy and protobuf deprecate.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _row(epoch, loss=1.0):
    return {"epoch": epoch, "step": 10 * epoch, "train": {"loss": loss}, "validation": {"auc": 0.5}}


def test_rows_come_back_and_nan_is_null(tmp_path):
    with closing(history.History(tmp_path, 1, 0)) as log:
        log.append(_row(1))
        log.append(_row(2, float("nan")))
    assert history.read(tmp_path) == [_row(1), _row(2, None)]
    assert list((tmp_path / history.EVENTS).glob("events.out.tfevents.*"))


def test_epochs_that_are_trained_again_are_dropped(tmp_path):
    with closing(history.History(tmp_path, 1, 0)) as log:
        for epoch in (1, 2, 3):
            log.append(_row(epoch, 1.0))
    with closing(history.History(tmp_path, 3, 20)) as log:
        log.append(_row(3, 2.0))
    assert [row["train"]["loss"] for row in history.read(tmp_path)] == [1.0, 1.0, 2.0]


def test_line_cut_short_by_a_kill_is_left_out(tmp_path):
    text = json.dumps(_row(1)) + "\n" + json.dumps(_row(2))[:20]
    (tmp_path / history.FILE).write_text(text, encoding="utf-8")
    assert history.read(tmp_path) == [_row(1)]
    with closing(history.History(tmp_path, 2, 10)) as log:
        log.append(_row(2))
    assert history.read(tmp_path) == [_row(1), _row(2)]


def test_no_file_is_no_history(tmp_path):
    assert history.read(tmp_path) == []
