"""A run from data to report, and what is told when folders and configurations do not fit."""

import contextlib
import hashlib
import importlib.metadata
import json
import subprocess
import warnings
from pathlib import Path

import chex
import jax
import numpy as np
import pytest

import busjax
from busjax import run
from busjax.config import FREE
from busjax.data import splits
from busjax.data.pipeline import Shard, eval_batches
from busjax.data.readers.phantom import PhantomSource
from busjax.data.resized import Resized
from busjax.errors import UserError
from busjax.models.prediction import Ensemble
from busjax.networks import places
from busjax.runs import configuration, results
from busjax.runs.checkpoint import Checkpoints
from busjax.training.program import Program
from tests.finished import final_state, untimed_history

KEYS = {
    *("source", "n_images", "dice_average", "dice_benign", "dice_malignant", "dice_normal"),
    *("iou_average", "accuracy", "f1_weighted", "f1_benign", "f1_malignant", "f1_normal"),
    *("auc_macro", "checkpoint_step"),
}


@pytest.fixture
def config(config):
    return config.but(name="tiny", model={"depth": 1}, train={"epochs": 2})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Folder of a finished run and its configuration, made by the first test."""
    return {"workdir": tmp_path_factory.mktemp("run")}


@pytest.fixture
def workdir(finished, config, capsys):
    if "out" not in finished:
        with warnings.catch_warnings():
            # tensorboardX still calls what NumPy and protobuf deprecate.
            warnings.simplefilter("ignore", DeprecationWarning)
            run.train_and_evaluate(config, finished["workdir"])
        finished["out"] = capsys.readouterr().out
    return finished["workdir"]


def test_leaves_all_that_is_promised(workdir, finished):
    for name in ("config.json", "split.json", "history.jsonl", "report.html", "MODEL_CARD.md"):
        assert (workdir / name).is_file()
    assert list((workdir / "tensorboard").iterdir())
    split = json.loads((workdir / "split.json").read_text())
    rows = results.read_rows(workdir)
    assert [row.id for row in rows] == split["test"]
    summary = json.loads((workdir / "evaluation" / "summary.json").read_text())
    assert not KEYS - set(summary)
    assert summary["source"] == "phantom"
    assert summary["n_images"] == len(rows)
    assert summary["checkpoint_step"] in (4, 8)  # two epochs of 31 images in batches of 8
    for name, value in results.summary_from_rows(rows).items():
        assert summary[name] == pytest.approx(value)
    assert "phantom" in finished["out"].splitlines()[0]
    assert "not BUSI" in (workdir / "report.html").read_text()


def test_the_summary_says_where_its_numbers_come_from(workdir, config):
    summary = results.read_summary(workdir)
    ids = sorted(PhantomSource(48, 0, 16).ids)
    assert summary["ids_digest"] == hashlib.sha256(json.dumps(ids).encode()).hexdigest()
    assert summary["split_digest"] == splits.digest(splits.read(workdir / splits.FILE))
    assert summary["seed"] == config.seed
    assert summary["device"] == f"{jax.device_count()} x {jax.devices()[0].device_kind}"
    for package in ("jax", "flax", "optax", "orbax-checkpoint", "grain", "numpy"):
        assert f"{package} {importlib.metadata.version(package)}" in summary["versions"]
    git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=7", "HEAD"]
    head = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    assert summary["commit"].startswith(head)  # '' outside a checkout


def test_the_same_seed_gives_the_same_numbers_bit_for_bit(workdir, train, config, tmp_path):
    again, other = tmp_path / "again", tmp_path / "other"
    for folder, seed in ((again, 0), (other, 1)):
        folder.mkdir()
        config = config.but(seed=seed)
        train(config, folder)
    numbers = [_numbers(folder) for folder in (workdir, again, other)]
    states, histories, rows = zip(*numbers, strict=True)
    chex.assert_trees_all_equal(states[0], states[1])
    assert histories[0] == histories[1] != histories[2]
    assert rows[0] == rows[1] != rows[2]


def _numbers(folder):
    """The last state, what each epoch found, and the rows of the test images."""
    _, (state, _) = final_state(configuration.read(folder), folder)
    rows = (folder / "evaluation" / "images.csv").read_bytes()
    return jax.device_get(state), untimed_history(folder), rows


def test_evaluation_alone_gives_the_same_and_may_refine(workdir, config):
    before = results.read_rows(workdir)
    run.evaluate_only(config, workdir)
    assert results.read_rows(workdir) == before
    config = config.but(model={"refine": "hard"})
    run.evaluate_only(config, workdir)
    after = results.read_rows(workdir)
    assert [row.predicted for row in after] == [row.predicted for row in before]
    for old, new in zip(before, after, strict=True):
        drawn = new.tp + new.fp
        assert drawn == (0 if new.predicted == "normal" else old.tp + old.fp)
    run.evaluate_only(configuration.read(workdir), workdir)
    assert results.read_rows(workdir) == before


def test_folder_of_another_configuration(workdir, config):
    config = config.but(optim={"learning_rate": 0.5})
    with pytest.raises(
        UserError, match=r"optim\.learning_rate is 0\.002 there and 0\.5 here; .*--workdir"
    ):
        run.train_and_evaluate(config, workdir)


def test_run_without_a_checkpoint_is_begun_anew(workdir, config, tmp_path):
    for name in ("config.json", "split.json"):
        (tmp_path / name).write_text((workdir / name).read_text())
    config = config.but(optim={"learning_rate": 0.5})
    run.check_same_run(config, tmp_path, frozenset())
    config = config.but(data={"split_seed": 9})
    source = run.sources.open_source(config.data, tmp_path)
    split = run._split(config, tmp_path, source)
    run._save(config, tmp_path, source, split)
    assert list(split.test) == json.loads((tmp_path / "split.json").read_text())["test"]
    assert list(split.test) != json.loads((workdir / "split.json").read_text())["test"]


def test_fields_that_do_not_change_the_result_may_differ(workdir, config):
    config = config.but(data={"threads": 1}, parallel={"map": "pmap"})
    run.check_same_run(config, workdir, FREE)


def test_folder_of_another_source(workdir, config, monkeypatch):
    class Other:
        name, description, remarks, ids, groups = "busi", "BUSI", (), ("a",), ("a",)
        labels = np.zeros(1, np.int32)

    monkeypatch.setattr(run.sources, "open_source", lambda data, cwd: Other())
    with pytest.raises(UserError, match="a run on the source 'phantom'"):
        run.train_and_evaluate(config, workdir)


def test_evaluation_without_a_run(tmp_path, config):
    with pytest.raises(UserError, match="holds no run"):
        run.evaluate_only(config, tmp_path)
    with pytest.raises(UserError, match="holds no run"):
        configuration.read(tmp_path)


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_no_part_may_be_empty(tmp_path, config, part):
    ids = {"train": ["phantom 0000"], "validation": ["phantom 0001"], "test": ["phantom 0002"]}
    splits.save(splits.Split(**{**ids, part: []}), tmp_path / "given.json")
    config = config.but(data={"split_file": str(tmp_path / "given.json")})
    with pytest.raises(UserError, match=f"the {part} split is empty"):
        run.train_and_evaluate(config, tmp_path)
    assert not (tmp_path / "config.json").exists()


def test_without_a_test_part_all_others_are_trained_on(tmp_path, config, capsys):
    config = config.but(data={"test_fraction": 0.0, "phantom_count": 48})
    assert run.train_and_evaluate(config, tmp_path) == {}
    told = capsys.readouterr().out
    assert ", 0 test" in told
    assert "no test part: nothing was evaluated" in told
    assert not results.exist(tmp_path)
    rows = results.read_validation(tmp_path)
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert "there is no test part" in card
    assert "## Scores on the validation part\n\nThe checkpoint was chosen by these" in card
    dice = results.summary_from_rows(rows)["dice_average"]
    assert f"| all | {len(rows)} | {dice:.3f} |" in card
    assert "test images" not in card
    assert results.read_validation_summary(tmp_path)["dice_average"] == pytest.approx(dice)
    trained = places.open_network(tmp_path)
    assert trained.fitted is not None
    assert trained.abstention is not None
    reading = busjax.load(tmp_path, threshold="validation")(np.zeros((20, 30), np.uint8))
    assert reading.doubt.abstains
    with pytest.raises(UserError, match="evaluate the run first"):
        results.read_rows(tmp_path)


def test_the_best_checkpoint_is_evaluated_not_the_latest(tmp_path, config, monkeypatch):
    """The first of two epochs is made the best by a score that falls."""
    scores = iter([1.0, 0.5])
    monkeypatch.setattr("busjax.training.loop.monitored", lambda found, monitor: next(scores))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        run.train_and_evaluate(config, tmp_path)
    summary = results.read_summary(tmp_path)
    assert (summary["checkpoint_epoch"], summary["checkpoint_step"]) == (1, 4)
    # And the weights are those of that step, not only its number.
    with contextlib.closing(Checkpoints(tmp_path)) as checkpoints:
        first, latest = (checkpoints.restore_evaluated(step)[0] for step in (4, 8))
    source = PhantomSource(48, 0, 16)
    ids = [row.id for row in results.read_rows(tmp_path)]
    batches = list(eval_batches(Resized(source, ids, 16), config, Shard()))
    saved = [(row.p_benign, row.p_malignant, row.p_normal) for row in results.read_rows(tmp_path)]
    found, other = (
        Program(config, 1).evaluate(Ensemble((variables,)), batches)["classes"]
        for variables in (first, latest)
    )
    np.testing.assert_allclose(saved, found, atol=1e-5)
    assert np.abs(saved - other).max() > 1e-3


def test_saved_split_is_used_again(workdir, config, tmp_path):
    config = config.but(data={"split_seed": 5, "split_file": str(workdir / "split.json")})
    source = run.sources.open_source(config.data, tmp_path)
    split = run._split(config, tmp_path, source)
    assert list(split.test) == json.loads((workdir / "split.json").read_text())["test"]
