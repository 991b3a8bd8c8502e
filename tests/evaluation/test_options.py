"""The options of inference: each does in an evaluation what it says, and the predictor agrees."""

import json
import shutil

import numpy as np
import pytest
from etils import epath

import busjax
from busjax import run
from busjax.config import Config
from busjax.data import splits
from busjax.data.readers.phantom import PhantomSource
from busjax.errors import UserError
from busjax.metrics import calibration
from busjax.runs import configuration, results


@pytest.fixture(scope="module")
def second(run_folder, tmp_path_factory, train):
    """A run of the same network on the same split, with another seed."""
    config = configuration.read(run_folder).but(seed=5)
    folder = tmp_path_factory.mktemp("second")
    train(config, folder)
    return folder


@pytest.fixture
def folder(run_folder, tmp_path):
    shutil.copytree(run_folder, tmp_path / "run")
    return epath.Path(tmp_path / "run")


def evaluate(folder, **fields):
    config = Config.from_flat({**configuration.read(folder).flat(), **fields})
    run.evaluate_only(config, folder)
    return results.read_rows(folder), results.read_predictions(folder)


def assert_the_predictor_agrees(predictor, rows, pictures):
    source = PhantomSource(48, 0, 16)
    readings = predictor([source[source.ids.index(row.id)].image for row in rows])
    for row, reading, probability in zip(rows, readings, pictures.probability, strict=True):
        np.testing.assert_allclose(reading.class_probabilities, row.probabilities, atol=1e-5)
        drawn = probability >= 128
        assert np.abs(reading.mask.astype(int) - drawn).sum() <= 1  # a pixel at the threshold
        assert (row.class_disagreement is None) == (reading.doubt.class_disagreement is None)
        assert reading.doubt.distance == pytest.approx(row.novelty, rel=1e-3)


def test_flips(folder):
    before, _ = results.read_rows(folder), None
    rows, pictures = evaluate(folder, **{"inference.flips": "both"})
    assert [row.p_benign for row in rows] != [row.p_benign for row in before]
    assert "flips=both" in results.read_summary(folder)["inference"]
    assert all(row.class_disagreement is not None for row in rows)
    assert_the_predictor_agrees(busjax.load(folder, flips="both"), rows, pictures)


def test_members(folder, second):
    alone, other = results.read_rows(folder), results.read_rows(second)
    rows, pictures = evaluate(folder, **{"inference.members": str(second)})
    for row, one, two in zip(rows, alone, other, strict=True):
        mean = np.mean([one.probabilities, two.probabilities], axis=0)
        np.testing.assert_allclose(row.probabilities, mean, atol=1e-5)
    assert_the_predictor_agrees(busjax.load(folder, second), rows, pictures)


def test_threshold_and_temperature(folder):
    before = results.read_rows(folder)
    asked = {"inference.threshold": "validation", "inference.temperature": "validation"}
    rows, pictures = evaluate(folder, **asked)
    found = json.loads((folder / "calibration.json").read_text())
    summary = results.read_summary(folder)
    assert summary["threshold"] == pytest.approx(found["threshold"])
    assert summary["temperature"] == pytest.approx(found["temperature"])
    scaled = calibration.scale(results.labels_and_probabilities(before)[1], found["temperature"])
    np.testing.assert_allclose(results.labels_and_probabilities(rows)[1], scaled, atol=1e-4)
    predictor = busjax.load(folder, threshold="validation", temperature="validation")
    assert_the_predictor_agrees(predictor, rows, pictures)


def test_the_values_are_those_of_validation(folder):
    rows = results.read_validation(folder)
    assert [row.id for row in rows] == list(splits.read(folder / "split.json").validation)
    found = json.loads((folder / "calibration.json").read_text())
    labels, probabilities = results.labels_and_probabilities(rows)
    wanted = calibration.fit_temperature(labels, probabilities)
    assert found["temperature"] == pytest.approx(wanted, rel=1e-3)
    assert found["validation_images"] == len(rows)


def test_the_largest_part_alone(folder):
    rows, pictures = evaluate(folder, **{"inference.largest": 1})
    assert all(row.found + row.false <= 1 for row in rows)
    assert_the_predictor_agrees(busjax.load(folder, largest=1), rows, pictures)
    assert [row.tp + row.fp for row in rows] == (pictures.probability >= 128).sum((1, 2)).tolist()


def test_refined_both_ways_they_agree(folder):
    rows, pictures = evaluate(folder, **{"model.refine": "both"})
    for row in rows:
        assert (row.predicted == "normal") == (row.tp + row.fp == 0)
    summary = results.read_summary(folder)
    assert summary["n_mask_on_normal"] == summary["n_lesion_without_mask"] == 0
    assert_the_predictor_agrees(busjax.load(folder, refine="both"), rows, pictures)


def test_a_member_that_has_seen_the_images(folder, second, tmp_path):
    shutil.copytree(second, tmp_path / "cheat")
    path = tmp_path / "cheat" / "split.json"
    split = json.loads(path.read_text())
    split["train"], split["test"] = split["train"] + split["test"][1:], split["test"][:1]
    path.write_text(json.dumps(split))
    with pytest.raises(UserError, match=r"cheat' was trained or chosen on \d+ of the"):
        evaluate(folder, **{"inference.members": str(tmp_path / "cheat")})


def test_a_member_of_another_kind(folder, second, tmp_path):
    shutil.copytree(second, tmp_path / "wide")
    path = tmp_path / "wide" / "config.json"
    config = json.loads(path.read_text())
    config["model"]["width"] = 8
    path.write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"config\.model\.width is 8 there and 4 here"):
        evaluate(folder, **{"inference.members": str(tmp_path / "wide")})
    with pytest.raises(UserError, match=r"config\.model\.width is 8 there and 4 here"):
        busjax.load(folder, tmp_path / "wide")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flip": "both"}, "flip is no option of inference: choose among refine, flips"),
        ({"flips": "all"}, r"config\.inference\.flips='all' must be one of"),
        ({"largest": -1}, r"config\.inference\.largest=-1 must be"),
        ({"refine": "never"}, r"config\.model\.refine='never' must be one of"),
        ({"members": "nowhere"}, "nowhere holds no run"),
    ],
)
def test_options_that_are_wrong(run_folder, options, message):
    with pytest.raises(UserError, match=message):
        busjax.load(run_folder, **options)
