"""Every damaged file is read or named; `python -m tests.fuzz.run` tries ten thousand by hand."""

import json
import logging
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from busjax.inference.export.__main__ import main as export
from tests.fuzz import kinds
from tests.fuzz.damage import damaged
from tests.fuzz.run import attack

_COUNT = 400


@pytest.fixture(autouse=True)
def no_logs():
    logging.disable()  # pydicom's, of what is wrong with a file
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", kinds.KINDS)
def test_a_damaged_file_is_read_or_named(name):
    kind = kinds.made(name)
    kind.read(kind.content)
    assert list(attack(kind, _COUNT, seed=0)) == []


def test_a_damaged_network_is_named(run_folder, tmp_path):
    out = tmp_path / "network"
    assert export([f"--workdir={run_folder}", "--format=folder", f"--out={out}"]) == 0
    kind = kinds.made("model", out)
    kind.read(kind.content)
    assert list(attack(kind, _COUNT, seed=0)) == []


def test_an_attack_tells_of_what_is_not_stood():
    class Weak:
        content = b"a file"

        def read(self, content):
            if len(content) < len(self.content):
                raise KeyError("no such tag")

    found = list(attack(Weak(), 50, 0))
    assert 0 < len(found) < 50
    assert found[0][1] == "KeyError: 'no such tag'"


def test_a_folder_of_damaged_files_is_told_in_a_line_each(run_folder, tmp_path):
    """Nothing that the decoders log or warn of stands between."""
    (tmp_path / "in").mkdir()
    for name in ("TIFF", "DICOM, 8 bits", "DICOM, RLE"):
        kind = kinds.made(name)
        for number in range(8):
            content = damaged(kind.content, random.Random(number))
            suffix = "tif" if name == "TIFF" else "dcm"
            (tmp_path / "in" / f"{name} {number}.{suffix}").write_bytes(content)
    command = [sys.executable, "-m", "busjax.inference.predict", f"--workdir={run_folder}"]
    done = subprocess.run(
        [*command, f"--out={tmp_path / 'out'}", str(tmp_path / "in")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 3
    lines = done.stderr.splitlines()
    told = json.loads((tmp_path / "out/predictions.json").read_text())["unreadable"]
    # libtiff, which is no part of Python, writes some lines itself.
    lines = [
        line for line in lines if not re.match("_?TIFF|[A-Za-z0-9]+(Decode|SetupState):", line)
    ]
    assert len(lines) == len(told) > 0
    assert all(line.startswith("left out: ") for line in lines)
