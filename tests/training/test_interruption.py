"""Really killed processes: a run that was ended by signals ends as one that ran through."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.finished import untimed_history

SCRIPT = Path(__file__).parent / "interrupted.py"
ROOT = SCRIPT.parent.parent.parent


def _run(folder, environment, *signals):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), "7", *signals],
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return [int(code) for code in done.stdout.split()], done.stderr


def test_signals_at_random_moments_change_nothing(tmp_path, environment):
    whole, ended = tmp_path / "whole", tmp_path / "ended"
    assert _run(whole, environment)[0] == [0]
    signals = ("SIGTERM", "SIGKILL", "SIGTERM", "SIGKILL")
    codes, said = _run(ended, environment, "SECOND+SIGTERM", *signals[1:])
    assert codes.pop(0) == 1  # the second run
    assert re.search(rf"^busjax: {ended} is in use by process \d+ on .*: wait for its end", said)
    # A start that comes to its end before its signal has ended well.
    expected = {"SIGTERM": (75, 0), "SIGKILL": (-9, 0)}
    assert all(code in expected[name] for code, name in zip(codes, signals, strict=False)), said
    assert codes[0] == 75
    assert codes[-1] == 0, said
    assert said.count("busjax: stopped by SIGTERM; the same command goes on\n") == codes.count(75)
    assert untimed_history(ended) == untimed_history(whole)
    assert not (ended / "run.lock").exists()
    for name in ("images.csv", "validation.csv"):
        assert (ended / "evaluation" / name).read_bytes() == (
            whole / "evaluation" / name
        ).read_bytes()


def test_a_full_disk_and_a_read_only_one_are_told_in_a_line(tmp_path, environment):
    """Really mounted, in a name space of its own, which needs no rights of the user."""
    apart = ["unshare", "--map-root-user", "--mount"]
    try:
        subprocess.run([*apart, "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)], check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system does not let its users mount")
    script = SCRIPT.parent / "full_disk.py"
    done = subprocess.run(
        [*apart, sys.executable, str(script), str(tmp_path)],
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.split() == ["1", "0", "1"], done.stderr
    told = f"busjax: {tmp_path}/run cannot be written to: "
    # What is left half-written may be named between the two, and libraries may warn.
    lines = [line for line in done.stderr.splitlines() if line.startswith(told)]
    assert len(lines) == 2, done.stderr
    assert "Traceback" not in done.stderr
    full, read_only = lines
    assert full.startswith(f"{told}No space left on device. What was saved before is whole: make")
    assert read_only.startswith(f"{told}Read-only file system.")
