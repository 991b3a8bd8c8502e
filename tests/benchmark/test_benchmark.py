"""The one command: a line a subject, peers beside ours; no test is of a time."""

import dataclasses
import sys

import numpy as np
import pytest

from busjax.benchmark import __main__ as benchmark
from busjax.benchmark import input_pipeline, machine, subjects, turns
from busjax.benchmark.subjects import Subject
from busjax.benchmark.turns import Timing
from busjax.errors import UserError

SMALL = Subject("busjax", "predict", "unet", 2, "float32", 16, 1)


def _cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.fixture
def measured(monkeypatch):
    """Which subjects were measured, in the order of the table; ours takes 10 ms, a peer 25."""
    found = []

    def measure(subjects, rounds):
        found.append((subjects, rounds))
        return {name: Timing(9, 3, 0.010 if name == "busjax" else 0.025, 500) for name in subjects}

    monkeypatch.setattr(turns, "measure", measure)
    return found


def test_a_line_for_every_network_dtype_and_task(measured, capsys):
    arguments = ["--networks=unet:4,unetpp", "--dtypes=float32,bfloat16", "--batches=1,3"]
    assert benchmark.main([*arguments, "--no-input", "--rounds=5"]) == 0
    lines = [_cells(line) for line in capsys.readouterr().out.splitlines() if line[:1] == "|"]
    assert len(lines) == 2 + 2 * 2 * 3
    assert {len(line) for line in lines} == {len(benchmark._COLUMNS)}
    whats = ["train step, 16 images", "prediction, 1 image", "prediction, 3 images"]
    assert [line[:3] for line in lines[2:5]] == [["unet, width 4", "float32", w] for w in whats]
    assert lines[-1][0] == "unetpp, width 8"  # that of the variant
    assert {rounds for _, rounds in measured} == {5}
    assert [s["busjax"].batch for s, _ in measured[:3]] == [16, 1, 3]


def test_ratios_are_the_peers_time_by_ours(measured, monkeypatch, capsys):
    free = {
        name: dataclasses.replace(library, lacks=lambda subject: "")
        for name, library in subjects.LIBRARIES.items()
    }
    monkeypatch.setattr(subjects, "LIBRARIES", free)
    monkeypatch.setattr(benchmark, "LIBRARIES", free)
    benchmark.main(["--networks=unet:4", "--dtypes=float32", "--tasks=predict", "--no-input"])
    head, _, line, _ = (_cells(x) for x in capsys.readouterr().out.splitlines() if x[:1] == "|")
    row = dict(zip(head, line, strict=True))
    assert row["busjax (ms)"] == "10.0"
    assert row["PyTorch (ms)"] == row["ONNX Runtime (ms)"] == "25.0"
    assert row["ratio to PyTorch"] == row["ratio to ONNX Runtime"] == "2.50"
    assert (row["first call (s)"], row["compiled before (s)"]) == ("9.0", "3.0")


def test_a_peer_that_is_missing_is_left_out_and_said(measured, monkeypatch, capsys):
    monkeypatch.setattr(subjects.importlib.util, "find_spec", lambda name: None)
    benchmark.main(["--networks=unet:4", "--dtypes=float32", "--no-input"])
    out = capsys.readouterr().out
    assert all(list(found) == ["busjax"] for found, _ in measured)
    assert "PyTorch is not installed" in out


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--networks=nothing:4", "--networks: 'nothing' is no variant"),
        ("--networks=fields:4", "--networks: 'fields' is no variant"),
        ("--networks=unet:wide", "'wide' is no whole number"),
        ("--dtypes=float16", "--dtypes=float16: choose among float32, bfloat16"),
        ("--tasks=sleep", "--tasks=sleep: choose among train, predict"),
        ("--rounds=0", "must be 1 or more"),
    ],
)
def test_a_wrong_argument_is_told_in_a_line(argument, message, capsys):
    assert benchmark.main([argument, "--no-input"]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_process_is_started_timed_and_ended():
    found = turns.measure({"ours": SMALL}, 2)["ours"]
    assert 0 < found.seconds < found.kept
    assert found.cold > 0
    assert 50 < found.megabytes < 5000


def test_a_process_that_fails_says_why():
    with pytest.raises(UserError, match=r"'nothing' is no variant"):
        turns.measure({"ours": dataclasses.replace(SMALL, network="nothing")}, 1)


def test_turns_go_round(monkeypatch):
    log = []
    monkeypatch.setattr(turns, "_PAUSE", 0)

    @dataclasses.dataclass
    class Worker:
        name: str

        def seconds(self):
            log.append(self.name)
            return len(log)

    assert turns._in_turns([Worker("a"), Worker("b")], 2) == [[1, 3], [2, 4]]
    assert log == ["a", "b", "a", "b"]


def test_no_library_waits_for_another():
    """A worker of PyTorch would otherwise be charged for our imports."""
    code = "import sys, busjax.benchmark.worker; print({'jax', 'torch', 'flax'} & set(sys.modules))"
    found = turns.subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout.strip() == "set()"


def test_what_a_step_is_given(monkeypatch):
    batch = subjects.batch_of(dataclasses.replace(SMALL, batch=4))
    assert batch["image"].shape == batch["mask"].shape == (4, 16, 16, 1)
    assert set(np.unique(batch["mask"])) == {0, 1}


def test_weights_are_drawn_whatever_a_variant_starts_from():
    config = dataclasses.replace(SMALL, network="unet_lite0", side=32).config
    assert config.model.encoder == "efficientnet_lite0"
    assert config.model.encoder_weights == ""


def test_the_input_pipeline(monkeypatch):
    monkeypatch.setattr(input_pipeline, "_BATCHES", 2)
    rates = input_pipeline.measure(32)
    assert min(dataclasses.astuple(rates)) > 0


def test_the_machine_is_named(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_max_isa=AVX2")
    line = machine.describe()
    assert "cores, Python 3." in line
    assert ", jax " in line
    assert line.endswith("XLA_FLAGS=--xla_cpu_max_isa=AVX2")
