"""history.jsonl: a line an epoch, written anew from where a run goes on."""

import json
import os
import subprocess
import sys
import warnings
from contextlib import closing

import pytest

from busjax.errors import UserError
from busjax.runs import history


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


def test_pytorch_is_not_imported_for_the_events(tmp_path):
    fake = tmp_path / "torch.py"
    fake.write_text("raise AssertionError('imported')", encoding="utf-8")
    code = (
        "import sys; from busjax.runs import history; h = history.History(sys.argv[1], 1, 0); "
        "h.append({'epoch': 1, 'step': 1}); h.close(); assert 'torch' not in sys.modules; "
        "import torch"
    )
    (tmp_path / "run").mkdir()
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, tmp_path / "run"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.stderr.splitlines()[-1] == "AssertionError: imported"
    assert list((tmp_path / "run" / history.EVENTS).glob("events.out.tfevents.*"))


def test_a_line_cut_short_is_left_out_and_a_broken_one_told(tmp_path):
    """And of an epoch that is there twice, after a resume, the last one counts."""
    whole = '{"epoch": 2, "step": 4}\n{"epoch": 1, "step": 2}\n{"epoch": 2, "step": 5}\n'
    path = tmp_path / history.FILE
    path.write_text(whole + '{"epoch": 3, "st')
    assert [row["step"] for row in history.read(tmp_path)] == [2, 5]
    for broken in ("{", "[]", "{}", "3"):
        path.write_text(f"{broken}\n{whole}")
        with pytest.raises(UserError, match=r"history\.jsonl line 1: not JSON of an epoch"):
            history.read(tmp_path)
    path.unlink()
    assert history.read(tmp_path) == []
