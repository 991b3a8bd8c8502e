"""Folds are read and pooled; those that do not belong together are refused."""

import dataclasses
import json

import numpy as np
import pytest

from busjax.classes import CLASSES
from busjax.errors import UserError
from busjax.evaluation import scores, study
from busjax.metrics import calibration
from busjax.runs import results
from busjax.runs.rows import to_csv


def test_a_run_is_a_study_of_its_own(write_fold, tmp_path):
    rows = write_fold(tmp_path)
    found = study.read(tmp_path)
    assert found.rows == rows
    assert (found.name, found.protocol) == ("unet", "one split")


def test_folds_are_pooled(write_folds, tmp_path):
    write_folds(tmp_path)
    found = study.read(tmp_path)
    assert [fold.index for fold in found.folds] == [0, 1, 2]
    assert len(found.rows) == 24
    assert found.protocol == "3 of 3 folds"
    summary = scores.summarise(found)
    every = [results.summary_from_rows(fold.rows) for fold in found.folds]
    assert summary["mean"]["f1_weighted"] == pytest.approx(
        np.mean([s["f1_weighted"] for s in every])
    )
    assert summary["pooled"] == results.summary_from_rows(found.rows)
    # The folds differ in size: the mean over them is not that over the images.
    assert summary["mean"]["dice_average"] != pytest.approx(summary["pooled"]["dice_average"])


def test_some_of_the_folds(write_folds, tmp_path):
    write_folds(tmp_path)
    found = study.read(tmp_path, only=(2, 0))
    assert [fold.index for fold in found.folds] == [2, 0]
    assert found.protocol == "2 of 3 folds"


def test_the_table_has_a_dash_where_there_is_no_score(write_fold, tmp_path):
    write_fold(tmp_path / "fold_0", ids=["a"])
    found = study.read(tmp_path, only=(0,))
    summary = scores.summarise(found)
    assert summary["pooled"]["dice_normal"] is None
    assert summary["sd"]["accuracy"] is None
    json.dumps(summary, allow_nan=False)
    cells = scores.table(found, summary).splitlines()[2].split()
    assert [place for place, cell in enumerate(cells) if cell == "-"] == [4, 5, 8]


def test_means_are_over_the_folds_that_have_a_score(write_folds, tmp_path):
    write_folds(tmp_path)
    found = study.read(tmp_path)
    first = found.folds[0]
    rows = [row for row in first.rows if row.class_name != "normal"]
    lacking = dataclasses.replace(first, rows=rows)
    summary = scores.summarise(dataclasses.replace(found, folds=(lacking, *found.folds[1:])))
    others = [fold.scores["dice_normal"] for fold in found.folds[1:]]
    assert summary["mean"]["dice_normal"] == pytest.approx(np.mean(others))
    assert summary["sd"]["dice_normal"] == pytest.approx(np.std(others, ddof=1))
    assert summary["n_defined"]["dice_normal"] == 2
    assert summary["n_defined"]["dice_average"] == 3
    last = scores.table(found, summary).splitlines()[-1]
    assert last.endswith("have a score: normal over 2 of 3, AUC over 2 of 3")
    assert not scores.few_folds(scores.summarise(found))


@pytest.mark.parametrize(
    ("last", "message"),
    [
        ({"ids": ["0-3", "x", "y"]}, "'0-3' is tested in both fold_0 and fold_2"),
        ({"cv": {"folds": 3, "seed": 5}}, r"fold_2 does not belong .* config\.cv\.seed is 5 there"),
        ({"facts": {"description": "BUSI: 780"}}, "description is 'BUSI: 780' there"),
        ({"facts": {"refine": "hard"}}, "refine is 'hard' there"),
        ({"name": "unetpp"}, r"config\.name is 'unetpp' there and 'unet' in the first"),
    ],
)
def test_folds_that_do_not_belong_together(write_folds, tmp_path, last, message):
    write_folds(tmp_path, **last)
    with pytest.raises(UserError, match=message):
        study.read(tmp_path)


def test_fields_that_change_no_result_may_differ(write_folds, tmp_path):
    write_folds(tmp_path, data={"dir": "elsewhere", "threads": 1})
    assert len(study.read(tmp_path).folds) == 3


def test_a_fold_of_an_earlier_version_lacks_fields(write_folds, tmp_path):
    """Which had their defaults then."""
    write_folds(tmp_path, inference={"flips": "none"})
    assert len(study.read(tmp_path).folds) == 3
    write_folds(tmp_path, inference={"flips": "both"})
    with pytest.raises(UserError, match=r"config\.inference\.flips is 'both' there and 'none'"):
        study.read(tmp_path)


def test_a_fold_that_is_not_there(write_fold, tmp_path):
    write_fold(tmp_path / "fold_0", 0)
    with pytest.raises(UserError, match=r"lacks fold_1 of 3 folds: .*--config\.cv\.only=1,2"):
        study.read(tmp_path)
    with pytest.raises(UserError, match=r"holds no fold_2: .*--config\.cv\.only=2"):
        study.read(tmp_path, only=(2,))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,group\n", "the header is not id,group,class"),
        (None, "unet|could not convert|not enough|is none of|argument"),
        ("", "the header is not"),
    ],
)
def test_a_broken_table(write_folds, tmp_path, text, message):
    write_folds(tmp_path)
    path = tmp_path / "fold_1" / "evaluation" / "images.csv"
    whole = path.read_text()
    path.write_text(whole[: len(whole) - 20] if text is None else text)
    with pytest.raises(UserError, match=message) as caught:
        study.read(tmp_path)
    assert str(path) in str(caught.value)


def test_a_table_that_the_summary_contradicts(write_folds, tmp_path):
    write_folds(tmp_path)
    path = tmp_path / "fold_1" / "evaluation" / "images.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(UserError, match=r"fold_1: summary\.json has"):
        study.read(tmp_path)


def test_no_folder(tmp_path):
    with pytest.raises(UserError, match="is not a folder"):
        study.read(tmp_path / "nothing")


def test_each_fold_is_scaled_by_its_own_validation_images(write_fold, tmp_path):
    """Fold 0 is ten times too sure, fold 1 as sure as it should be."""
    rng = np.random.default_rng(0)
    for index, temperature in enumerate((4.0, 1.0)):
        rows = write_fold(
            tmp_path / f"fold_{index}", index, ids=[f"{index}-{i}" for i in range(300)]
        )
        drawn = []
        for row in rows:
            p = rng.dirichlet([1, 1, 1])
            sure = calibration.scale(p[None], 1 / temperature)[0]
            name = CLASSES[rng.choice(3, p=p)]
            drawn.append(
                dataclasses.replace(row, class_name=name, predicted=CLASSES[p.argmax()],
                                    p_benign=sure[0], p_malignant=sure[1], p_normal=sure[2])
            )  # fmt: skip
        folder = tmp_path / f"fold_{index}" / "evaluation"
        (folder / "validation.csv").write_text(to_csv(drawn[:150]))
        (folder / "images.csv").write_text(to_csv(drawn[150:]))
        summary = {"source": "busi", "description": "BUSI", "refine": "none"}
        (folder / "summary.json").write_text(json.dumps(summary))
    found = study.read(tmp_path, only=(0, 1))
    pooled = scores.summarise(found)["pooled"]
    assert pooled["ece"] > 0.1
    assert pooled["ece_scaled"] < 0.06
    assert pooled["brier_scaled"] < pooled["brier"]
    (tmp_path / "fold_1" / "evaluation" / "validation.csv").unlink()
    assert scores.scaled(study.read(tmp_path, only=(0, 1))) == {}
