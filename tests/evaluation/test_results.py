"""The files of an evaluation come back as they were written."""

import json
import math
import os

import numpy as np
import pytest

from busjax.errors import UserError
from busjax.evaluation import results
from busjax.metrics.segmentation import PixelCounts, count_pixels
from busjax.metrics.summary import summarise

HEADER = "id,group,class,predicted,p_benign,p_malignant,p_normal,dice,iou,tp,fp,fn,tn"
IDS = ("benign (1)", 'a "quoted", id', "malignant\n(2)", "ü", "normal (4)")


@pytest.fixture
def arrays():
    """labels, probabilities (float32, as a network gives them), counts and pictures of 5 images."""
    rng = np.random.default_rng(0)
    labels = np.array([0, 0, 1, 1, 2])
    probabilities = rng.dirichlet([1, 1, 1], size=5).astype(np.float32)
    probability = rng.integers(256, size=(5, 8, 8), dtype=np.uint8)
    mask = rng.random((5, 8, 8)) < 0.5
    image = rng.integers(256, size=(5, 8, 8), dtype=np.uint8)
    pictures = results.Predictions(np.array(IDS), image, mask, probability)
    return labels, probabilities, count_pixels(probability >= 128, mask), pictures


@pytest.fixture
def rows(arrays):
    labels, probabilities, counts, _ = arrays
    return results.make_rows(IDS, ["g"] * 5, labels, probabilities, counts)


def test_round_trip(tmp_path, arrays, rows):
    labels, probabilities, counts, pictures = arrays
    summary = {**summarise(labels, probabilities, counts), "source": "phantom", "commit": "abc"}
    results.write(tmp_path, rows, summary, pictures)

    assert results.read_rows(tmp_path) == rows
    assert results.read_summary(tmp_path) == summary
    back = results.read_predictions(tmp_path)
    for name in ("id", "image", "mask", "probability"):
        np.testing.assert_array_equal(getattr(back, name), getattr(pictures, name))
    folder = tmp_path / "evaluation"
    assert {path.name for path in folder.iterdir()} == {
        "images.csv",
        "summary.json",
        "predictions.npz",
    }
    assert (folder / "images.csv").read_text().splitlines()[0] == HEADER


def test_every_score_follows_from_the_table(tmp_path, arrays, rows):
    labels, probabilities, counts, pictures = arrays
    results.write(tmp_path, rows, {}, pictures)
    again = results.summary_from_rows(results.read_rows(tmp_path))
    assert again == summarise(labels, probabilities, counts)


def test_make_rows_by_hand():
    counts = PixelCounts(*np.array([[1, 2, 1, 12]]).T)
    (row,) = results.make_rows(["x"], ["g"], np.array([1]), np.array([[0.2, 0.3, 0.5]]), counts)
    assert row == results.ImageRow(
        "x", "g", "malignant", "normal", 0.2, 0.3, 0.5, 2 / 5, 1 / 4, 1, 2, 1, 12
    )


def test_undefined_is_null(tmp_path, arrays, rows):
    results.write(tmp_path, rows, {"dice_normal": math.nan, "source": "busi"}, arrays[3])
    text = (tmp_path / "evaluation/summary.json").read_text()
    assert json.loads(text) == {"dice_normal": None, "source": "busi"}
    assert math.isnan(results.read_summary(tmp_path)["dice_normal"])


def test_an_interrupted_evaluation_has_no_summary(tmp_path, arrays, rows, monkeypatch):
    results.write(tmp_path, rows, {"source": "busi"}, arrays[3])

    def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        results.write(tmp_path, rows[:2], {"source": "busi"}, arrays[3])
    with pytest.raises(UserError, match=r"summary\.json is missing; evaluate"):
        results.read_summary(tmp_path)


@pytest.mark.parametrize(
    "read", [results.read_rows, results.read_summary, results.read_predictions]
)
def test_missing_files_name_the_remedy(tmp_path, read):
    with pytest.raises(UserError, match="is missing; evaluate the run first"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "read"),
    [
        ("images.csv", "", results.read_rows),
        ("images.csv", "id,class\n", results.read_rows),
        ("images.csv", f"{HEADER}\nx,g,benign\n", results.read_rows),
        ("images.csv", f"{HEADER}\nx,g,cyst,benign,1,0,0,1,1,1,0,0,3\n", results.read_rows),
        ("summary.json", "{", results.read_summary),
        ("predictions.npz", "no archive", results.read_predictions),
        ("predictions.npz", "", results.read_predictions),
    ],
)
def test_broken_files_name_the_remedy(tmp_path, name, content, read):
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / name).write_text(content)
    with pytest.raises(UserError, match=f"{name}: .*evaluate the run again"):
        read(tmp_path)
