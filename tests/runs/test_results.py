"""The files of an evaluation come back as they were written."""

import dataclasses
import json
import math
import os

import numpy as np
import pytest

from busjax.errors import UserError
from busjax.metrics import boundary, calibration, detection
from busjax.metrics.segmentation import PixelCounts, count_pixels
from busjax.metrics.summary import summarise
from busjax.runs import results
from busjax.runs.rows import ImageRow, make_rows

EARLIER = "id,group,class,predicted,p_benign,p_malignant,p_normal,dice,iou,tp,fp,fn,tn"
LATER = f"{EARLIER},hausdorff95,distance,lesions,found,false"
WITH_SETS = f"{LATER},set"
HEADER = (
    f"{WITH_SETS},mask_uncertainty,class_uncertainty,contradiction,mask_disagreement,"
    "class_disagreement,novelty,doubt,abstains"
)
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
    return make_rows(IDS, ["g"] * 5, labels, probabilities, counts)


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
    scores = summarise(labels, probabilities, counts)
    assert {name: again[name] for name in scores} == scores
    assert again["brier"] == pytest.approx(calibration.brier(labels, probabilities))
    assert "hausdorff95" not in again  # nothing was measured of the outlines


def test_make_rows_by_hand():
    counts = PixelCounts(*np.array([[1, 2, 1, 12]]).T)
    (row,) = make_rows(["x"], ["g"], np.array([1]), np.array([[0.2, 0.3, 0.5]]), counts)
    assert row == ImageRow(
        "x", "g", "malignant", "normal", 0.2, 0.3, 0.5, 2 / 5, 1 / 4, 1, 2, 1, 12
    )


def test_outlines_and_lesions_come_back(tmp_path, arrays):
    """None where a mask is empty; the scores are those of the arrays."""
    labels, probabilities, _, pictures = arrays
    drawn = pictures.probability >= 128
    drawn[3] = False
    distances, lesions = (
        boundary.distances(drawn, pictures.mask),
        detection.lesions(drawn, pictures.mask),
    )
    counts = count_pixels(drawn, pictures.mask)
    rows = make_rows(IDS, IDS, labels, probabilities, counts, distances, lesions)
    results.write(tmp_path, rows, {}, pictures, validation=rows[:2])
    back = results.read_rows(tmp_path)
    assert back == rows
    assert back[3].hausdorff95 is back[3].distance is None
    assert results.read_validation(tmp_path) == rows[:2]
    scores = results.summary_from_rows(back)
    assert scores["n_outlined"] == 4
    assert scores["hausdorff95"] == pytest.approx(np.nanmean(distances.hausdorff95))
    assert scores["distance"] == pytest.approx(np.nanmean(distances.average))
    assert scores["lesion_sensitivity"] == lesions.found.sum() / lesions.annotated.sum()
    assert scores["false_lesions"] == lesions.false.mean()
    called = [row.predicted for row in back]
    assert scores["n_lesion_without_mask"] == (called[3] != "normal")
    assert scores["n_mask_on_normal"] == sum(name == "normal" for name in called[:3] + called[4:])
    results.write(tmp_path, rows, {}, pictures)
    assert results.read_validation(tmp_path) == []


def test_a_table_of_an_earlier_version_is_read(tmp_path):
    (tmp_path / "evaluation").mkdir()
    line = "x,g,benign,benign,1,0,0,1,1,1,0,0,3"
    (tmp_path / "evaluation" / "images.csv").write_text(f"{LATER}\n{line},2.5,1,1,1,0\n")
    (row,) = results.read_rows(tmp_path)
    assert (row.hausdorff95, row.false, row.set) == (2.5, 0, None)
    (tmp_path / "evaluation" / "images.csv").write_text(f"{EARLIER}\n{line}\n")
    (row,) = results.read_rows(tmp_path)
    assert (row.tn, row.lesions, row.distance) == (3, None, None)
    assert results.summary_from_rows([row])["accuracy"] == 1


def test_the_advice_of_an_earlier_version_is_no_description(tmp_path, arrays, rows):
    summary = {
        "source": "phantom",
        "description": "phantoms: no patients; no BUSI data was found: x",
    }
    results.write(tmp_path, rows, summary, arrays[-1])
    assert results.read_summary(tmp_path)["description"] == "phantoms: no patients"


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
        ("images.csv", f"{EARLIER},hausdorff95\n", results.read_rows),
        (
            "images.csv",
            f"{HEADER}\nx,g,benign,benign,1,0,0,1,1,1,0,0,3,,,1,half,0,\n",
            results.read_rows,
        ),
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


def test_scores_of_what_is_kept_follow_from_the_table(rows, tmp_path, arrays):
    assert "n_kept" not in results.summary_from_rows(rows)
    doubts = [0.2, 0.9, 0.5, 0.95, 0.1]
    told = [
        dataclasses.replace(row, doubt=doubt, abstains=int(doubt > 0.8), mask_uncertainty=0.25)
        for row, doubt in zip(rows, doubts, strict=True)
    ]
    results.write(tmp_path, told, {}, arrays[3])
    again = results.read_rows(tmp_path)
    assert again == told
    scores = results.summary_from_rows(again)
    kept = [row.dice for row in told if not row.abstains]
    assert scores["n_kept"] == 3
    assert scores["dice_kept"] == pytest.approx(np.mean(kept))
    right = [row.predicted == row.class_name for row in told]
    assert scores["accuracy_at_80"] == pytest.approx(np.mean([right[i] for i in (0, 1, 2, 4)]))
    assert scores["dice_over_coverages"] > 0
