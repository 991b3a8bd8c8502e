"""The benchmark runs, in turns, and says what it measured; no test depends on a time."""

import importlib.util
import shutil

import pytest

from busjax.benchmark import predict
from busjax.inference.export.__main__ import main as export


def test_calls_are_timed_in_turns_after_a_first_one():
    log = []
    calls = {name: (1, lambda name=name: log.append(name)) for name in "ab"}
    timings = predict.measure(calls, 3)
    assert log == ["a", "b"] + ["a", "b"] * 3
    assert {name: len(seconds) for name, (_, seconds) in timings.items()} == {"a": 3, "b": 3}


def test_table():
    _, line = predict.table({"name": (16, [0.2, 0.1, 0.4])})
    assert line.split() == ["name", "200.0", "ms", "100.0", "ms", "400.0", "ms", "80.0"]


def test_a_run_is_measured(run_folder, capsys):
    assert predict.main([f"--workdir={run_folder}", "--rounds=1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("tiny, 16 x 16, on 1 x ")
    names = [line.rpartition(" image")[0].strip() for line in lines[2:]]
    assert names[:4] == ["reading, 1", "reading, 16", "network, 1", "network, 16"]


@pytest.mark.skipif(not importlib.util.find_spec("jax2onnx"), reason="pip install .[onnx]")
def test_onnx_runtime_is_measured_beside_it(run_folder, tmp_path, capsys):
    shutil.copytree(run_folder, tmp_path / "run")
    assert export([f"--workdir={tmp_path / 'run'}", "--format=onnx"]) == 0
    assert predict.main([f"--workdir={tmp_path / 'run'}", "--rounds=1"]) == 0
    assert "ONNX Runtime, 16 images" in capsys.readouterr().out


def test_no_run_is_told(tmp_path, capsys):
    assert predict.main([f"--workdir={tmp_path}"]) == 1
    assert "holds no run" in capsys.readouterr().err
