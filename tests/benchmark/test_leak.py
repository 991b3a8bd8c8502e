"""What leaks: the difference of two cross-validations, with its interval by group."""

from pathlib import Path

import pytest

from busjax.benchmark import leak
from busjax.evaluation import study

MEASURED = Path(__file__).parent.parent.parent / "docs" / "results" / "busi780_leak"


def test_difference_is_that_of_the_means_over_images():
    first = {"a": [0.0, 0.0, 1.0], "b": [1.0]}
    second = {"a": [1.0], "c": [0.5]}
    found, low, high = leak.difference(first, second)
    assert found == pytest.approx(0.75 - 0.5)
    assert low < found < high


def test_the_interval_is_by_group_not_by_image():
    """A hundred copies of ten images say no more than the ten."""
    scores = [0.1 * i for i in range(10)]
    few = {str(i): [score] for i, score in enumerate(scores)}
    copies = {str(i): [score] * 100 for i, score in enumerate(scores)}
    other = {f"other {i}": [score] for i, score in enumerate(scores)}
    assert leak.difference(few, other) == pytest.approx(leak.difference(copies, other))


def test_the_same_rows_differ_by_nothing_and_are_told_apart_by_their_groups():
    rows = study.read(MEASURED / "raw_grouped", (0, 1)).rows
    groups = {row.id: 1 for row in rows[:7]}
    lines = leak.table(rows, rows, groups)
    assert [line.split(" | ")[:3] for line in lines[2:]] == [
        ["| all", "312", "312"],
        ["| with a duplicate", "7", "7"],
        ["| without", "305", "305"],
    ]
    assert all(": +0.000 [+0.000, +0.000]" in line for line in lines[2:])


def test_one_line_where_there_is_nothing(capsys, tmp_path):
    assert leak.main([f"--grouped={tmp_path}", f"--images={tmp_path}", "--letter=none.csv"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
