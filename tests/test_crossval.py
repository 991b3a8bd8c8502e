"""A cross-validation is a folder of runs: each fold once, in any order, summed up at the end."""

import json
import os
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest
from etils import epath

from busjax import crossval, run
from busjax.config import Config
from busjax.data import splits
from busjax.errors import UserError
from busjax.evaluation import study
from busjax.runs import configuration, results
from tests.evaluation.test_external import write_busi


@pytest.fixture
def config(config):
    return config.but(
        name="tiny",
        model={"depth": 1},
        train={"epochs": 1},
        cv={"folds": 3},
        augment={"enabled": False},
    )


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        # tensorboardX still calls what NumPy and protobuf deprecate.
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Folder of a finished cross-validation and what was told of it, made by the first test."""
    return {"workdir": tmp_path_factory.mktemp("crossval")}


@pytest.fixture
def workdir(finished, config, capsys):
    """Fold 1 was run first, by itself, the others later."""
    if "first" not in finished:
        crossval.cross_validate(config.but(cv={"only": "1"}), finished["workdir"])
        finished["first"] = capsys.readouterr().out
        crossval.cross_validate(config, finished["workdir"])
        finished["then"] = capsys.readouterr().out
    return finished["workdir"]


def test_folds_in_any_order_and_none_twice(workdir, finished):
    assert "fold 1 of 3, in" in finished["first"]
    assert finished["first"].splitlines()[-1] == "still to run: --config.cv.only=0,2"
    assert "fold 1 of 3: finished before" in finished["then"]
    assert finished["then"].count("report: ") == 2


def test_every_image_is_tested_once_by_a_network_that_never_saw_it(workdir):
    parts = [splits.read(workdir / f"fold_{k}" / "split.json") for k in range(3)]
    tested = [[row.id for row in results.read_rows(workdir / f"fold_{k}")] for k in range(3)]
    assert tested == [list(part.test) for part in parts]
    everything = sorted(parts[0].train + parts[0].validation + parts[0].test)
    assert sorted(id for ids in tested for id in ids) == everything
    for part in parts:
        assert not set(part.test) & set(part.train + part.validation)
        assert part.validation


def test_the_summary_is_that_of_the_rows(workdir, finished):
    found = json.loads((workdir / "crossval.json").read_text())
    by_fold = [results.read_rows(workdir / f"fold_{k}") for k in range(3)]
    dice = [np.mean([row.dice for row in rows]) for rows in by_fold]
    assert found["mean"]["dice_average"] == pytest.approx(np.mean(dice))
    assert found["sd"]["dice_average"] == pytest.approx(np.std(dice, ddof=1))
    pooled = [row for rows in by_fold for row in rows]
    assert found["n_images"] == len(pooled) == 48
    right = np.mean([row.predicted == row.class_name for row in pooled])
    assert found["pooled"]["accuracy"] == pytest.approx(right)
    low, high = found["interval"]["accuracy"]
    assert low < right < high
    assert found["source"] == "phantom"
    assert [fold["fold"] for fold in found["folds"]] == [0, 1, 2]
    assert f"pooled  {found['pooled']['dice_average']:>13.3f}" in finished["then"]


def test_a_fold_that_was_cut_off_goes_on(workdir, config, tmp_path, capsys):
    again = tmp_path / "again"
    shutil.copytree(workdir, again)
    before = results.read_rows(again / "fold_2")
    shutil.rmtree(again / "fold_2" / "evaluation")
    (again / "crossval.json").unlink()
    crossval.cross_validate(config, again)
    told = capsys.readouterr().out
    assert "going on after epoch 1" in told
    assert told.count("finished before") == 2
    assert results.read_rows(again / "fold_2") == before
    assert (again / "crossval.json").exists()


def test_a_fold_is_a_run_of_its_own(workdir, config):
    config = config.but(cv={"only": "0"})
    before = results.read_rows(workdir / "fold_0")
    run.evaluate_only(config, workdir / "fold_0")
    assert results.read_rows(workdir / "fold_0") == before


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("cv.seed", 1, r"fold_0 holds a run with another .*cv\.seed is 0 there and 1 here"),
        ("optim.learning_rate", 0.5, r"optim\.learning_rate"),
        ("cv.folds", 2, "holds fold_2, of a cross-validation of more than 2 folds"),
        ("cv.folds", 4, r"cv\.folds is 3 there and 4 here"),
        ("data.phantom_seed", 9, r"data\.phantom_seed"),
    ],
)
def test_folder_of_another_cross_validation(workdir, config, field, value, message):
    config = Config.from_flat({**config.flat(), field: value})
    with pytest.raises(UserError, match=message):
        crossval.cross_validate(config, workdir)


def test_folder_of_other_images(workdir, config, monkeypatch):
    """Such as those of a folder in which some are missing now."""
    opened = run.sources.open_source(config.data, ".")

    class Fewer:
        name, description, remarks = opened.name, opened.description, ()
        ids, labels, groups = opened.ids[3:], opened.labels[3:], opened.groups[3:]

    monkeypatch.setattr(run.sources, "open_source", lambda data, cwd: Fewer())
    with pytest.raises(UserError, match="fold_0 holds a run on other images, or on another split"):
        crossval.cross_validate(config, workdir)


def test_folder_of_a_single_run(run_folder, config):
    with pytest.raises(UserError, match="holds a single run: choose another folder"):
        crossval.cross_validate(config, run_folder)


def test_all_folds_are_evaluated_otherwise_beside_their_own_results(workdir, tmp_path, capsys):
    again = epath.Path(tmp_path / "again")
    shutil.copytree(workdir, again)
    before = [results.read_rows(again / f"fold_{k}") for k in range(3)]
    config = configuration.read(again)
    assert config.cv.only == ""
    config = config.but(inference={"flips": "horizontal"})
    crossval.evaluate_folds(config, again, "evaluation_flips")
    assert "1 of 3" in capsys.readouterr().out
    assert [results.read_rows(again / f"fold_{k}") for k in range(3)] == before
    flipped = study.read(again, results_in="evaluation_flips")
    assert len(flipped.rows) == 48
    assert "flips=horizontal" in flipped.folds[1].facts["inference"]
    found = json.loads((again / "crossval_flips.json").read_text())
    assert found["pooled"] != json.loads((again / "crossval.json").read_text())["pooled"]


def test_an_external_test_of_each_fold_is_not_summed_up(workdir, tmp_path, capsys):
    """Each fold's network sees all of its images: they are no test folds."""
    again = epath.Path(tmp_path / "again")
    shutil.copytree(workdir, again)
    before = (again / "crossval.json").read_bytes()
    config = configuration.read(again)
    config = config.but(data={"dir": str(write_busi(tmp_path / "other", 0, (2, 2, 2)))})
    crossval.evaluate_folds(config, again, "evaluation_clinic")
    assert capsys.readouterr().out.count("external test of busi, 6 images") == 3
    assert not (again / "crossval_clinic.json").exists()
    assert (again / "crossval.json").read_bytes() == before
    assert len(results.read_rows(again / "fold_2", "evaluation_clinic")) == 6


def test_cross_validations_are_averaged_fold_by_fold(workdir, tmp_path):
    """Of a fold only that fold of the other one has not seen its test images."""
    again = epath.Path(tmp_path / "again")
    shutil.copytree(workdir, again)
    config = configuration.read(again)
    config = config.but(inference={"members": str(workdir)})
    crossval.evaluate_folds(config, again, "evaluation_twice")
    for index in range(3):
        alone = results.read_rows(again / f"fold_{index}")
        rows = results.read_rows(again / f"fold_{index}", "evaluation_twice")
        for row, one in zip(rows, alone, strict=True):  # the same network twice
            assert row.probabilities == pytest.approx(one.probabilities, abs=1e-5)
    config = config.but(inference={"members": str(workdir / "fold_1")}, cv={"only": "0"})
    with pytest.raises(UserError, match="fold_1' was trained or chosen on 16 of the 16 images"):
        crossval.evaluate_folds(config, again, "evaluation_leak")


def test_the_command_evaluates_all_folds(workdir, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(workdir, again)
    command = [sys.executable, "-m", "busjax.main", "--mode=evaluate", f"--workdir={again}"]
    command += ["--evaluation=hard", "--config.model.refine=hard"]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert (again / "crossval_hard.json").exists()
    rows = study.read(again, results_in="evaluation_hard").rows
    assert all(row.tp + row.fp == 0 for row in rows if row.predicted == "normal")
    done = subprocess.run(
        [*command, "--evaluation=a/b"], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 1
    assert "--evaluation=a/b must be letters" in done.stderr
