"""The tables of results are those that `compare` makes of the committed rows, with no GPU.

Each stands under a comment with its command; where rows were added, paste the new output.
"""

import re
import shlex
from pathlib import Path

import pytest

from busjax.evaluation.compare.__main__ import main
from busjax.evaluation.unseen import markdown

ROOT = Path(__file__).parent.parent
PAGES = [(ROOT / "docs" / name).read_text() for name in ("results.md", "ablation.md")]
BLOCKS = [
    block
    for page in PAGES
    for block in re.findall(
        r"<!-- python -m busjax\.evaluation\.compare (.*?) -->\n(.*?)<!-- end -->", page, re.DOTALL
    )
]
NUMBER = re.compile(r"[+-]?\d+\.\d+")


def test_there_are_tables():
    for count in (sum(page.count(mark) for page in PAGES) for mark in ("<!-- python", "<!-- end")):
        assert len(BLOCKS) == count > 0


@pytest.mark.parametrize("arguments", [arguments for arguments, _ in BLOCKS])
def test_the_tables_are_those_of_the_rows(arguments, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    written = dict(BLOCKS)[arguments].strip()
    assert main(shlex.split(arguments.replace("\n", " "))) == 0
    made = capsys.readouterr().out.strip()
    assert NUMBER.sub("#", written) == NUMBER.sub("#", made)
    for ours, theirs in zip(NUMBER.findall(written), NUMBER.findall(made), strict=True):
        # The last digit may be rounded otherwise, and resamples may be drawn otherwise by another
        # version of NumPy.
        assert float(ours) == pytest.approx(float(theirs), abs=0.0021)


UNSEEN = re.findall(
    r"<!-- python -m busjax\.evaluation\.unseen\.markdown (.*?) -->\n(.*?)<!-- end -->",
    (ROOT / "docs/unseen.md").read_text(),
    re.DOTALL,
)


def test_the_tables_of_unseen_sets_are_those_of_their_lines(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert UNSEEN
    for arguments, written in UNSEEN:
        assert markdown.main(shlex.split(arguments)) == 0
        assert capsys.readouterr().out.strip() == written.strip()


def test_a_table_that_is_none_is_told(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("network,tested on\nx,y\n")
    assert markdown.main([str(tmp_path / "a.csv")]) == 1
    assert "is no unseen.csv of this version: it lacks auc" in capsys.readouterr().err
    assert markdown.main([str(tmp_path / "none.csv")]) == 1
