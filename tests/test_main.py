"""The command: an error that the user can mend is one line on stderr, exit code 1."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from busjax import main

ROOT = Path(__file__).parent.parent
CONFIG = "--config=configs/unetpp.py"


def _run(tmp_path, *arguments, **environment):
    command = [sys.executable, "-m", "busjax.main", f"--workdir={tmp_path / 'run'}", *arguments]
    clean = {key: value for key, value in os.environ.items() if key != "BUSI_DIR"}
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**clean, "JAX_PLATFORMS": "cpu", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([CONFIG, "--config.model.widht=8"], "widht"),
        ([CONFIG, "--config.model.width=wide"], "wide"),
        ([CONFIG, "--config.train.epochs=1.5"], "1.5"),
        (["--config=configs/nothing.py"], "nothing.py is no file: give a file or one of gated"),
        (["--config", "nothing"], "'nothing' is no variant: choose among gated_unet, pooled,"),
        ([CONFIG, "--mode=tain"], "tain"),
        ([CONFIG, "--colour=red"], "colour"),
        ([CONFIG, "extra"], "extra"),
        ([], "--config=unetpp"),
        ([CONFIG, "--config.data.dir=tests"], "tests"),
        ([CONFIG, "--config.data.dir=/nowhere"], "'/nowhere' does not exist"),
        ([CONFIG, "--config.data.source=busi"], "BUSI_DIR"),
        ([CONFIG, "--config.data.image_size=100"], "112"),
        ([CONFIG, "--config.train.batch_size=0"], "config.train.batch_size=0 must be a whole"),
        ([CONFIG, "--mode=evaluate"], "holds no run"),
        (["--mode=evaluate", "--workdir=nowhere://run"], "'nowhere://run' is no path"),
        ([CONFIG, "--mode=crossval", "--config.cv.folds=1"], "config.cv.folds=1 must be"),
        ([CONFIG, "--mode=crossval", "--config.cv.only=5"], "there is no fold 5"),
    ],
)  # fmt: skip
def test_one_clear_line(tmp_path, arguments, message):
    done = _run(tmp_path, *arguments)
    assert done.returncode == 1, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("busjax: ")
    assert message in lines[0]


def test_folder_from_the_environment(tmp_path):
    done = _run(tmp_path, CONFIG, BUSI_DIR=str(tmp_path / "gone"))
    assert done.returncode == 1
    assert str(tmp_path / "gone") in done.stderr


@pytest.mark.parametrize("words", [["--config=unetpp"], ["--config", "unetpp"], ["-config=unetpp"]])
def test_a_variant_by_name(tmp_path, words):
    done = _run(tmp_path, *words, "--mode=evaluate", "--workdir=nowhere")
    assert "nowhere holds no run" in done.stderr


def test_help_does_not_load_jax(tmp_path):
    code = (
        "import sys; import busjax.main; "
        "sys.exit(any(name in sys.modules for name in ('jax', 'flax', 'grain', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(("words", "heard"), [("Event loop is closed", 0), ("no memory", 1)])
def test_late_writes_of_a_failed_save_are_not_heard(monkeypatch, words, heard):
    """TensorStore's threads print a traceback each, in the midst of the line that tells of it."""
    passed = []
    monkeypatch.setattr(sys, "__unraisablehook__", passed.append)
    main._unheard(SimpleNamespace(exc_value=RuntimeError(words)))
    assert len(passed) == heard
