"""A run's network on the images of another clinic: all of them, in a folder of their own."""

import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from etils import epath
from PIL import Image

from busjax import run
from busjax.classes import CLASSES
from busjax.config import Config
from busjax.errors import UserError
from busjax.runs import configuration, results
from tests.small import SMALL

ROOT = Path(__file__).parent.parent.parent


def write_busi(folder, seed, counts=(14, 12, 10)):
    """Writes images with a bright lesion unless normal, in the official layout."""
    rng = np.random.default_rng(seed)
    for name, count in zip(CLASSES, counts, strict=True):
        (folder / name).mkdir(parents=True)
        for number in range(1, count + 1):
            image = rng.integers(0, 100, (18, 20), np.uint8)
            mask = np.zeros((18, 20), np.uint8)
            if name != "normal":
                mask[4:10, 5:12] = 255
                image[mask > 0] += 100
            Image.fromarray(image).save(folder / name / f"{name} ({number}).png")
            Image.fromarray(mask).save(folder / name / f"{name} ({number})_mask.png")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run on the folder 'own', and beside it the folder 'other clinic'."""
    root = tmp_path_factory.mktemp("external")
    write_busi(root / "own", 0)
    write_busi(root / "other clinic", 1, (5, 4, 3))
    config = Config().but(**SMALL).but(data={"source": "busi", "dir": str(root / "own")})
    (root / "run").mkdir()
    with warnings.catch_warnings():
        # tensorboardX still calls what NumPy and protobuf deprecate.
        warnings.simplefilter("ignore", DeprecationWarning)
        run.train_and_evaluate(config, epath.Path(root / "run"))
    return root


def evaluate(place, folder, results_in=results.FOLDER):
    workdir = epath.Path(place / "run")
    config = configuration.read(workdir)
    config = config.but(data={"dir": str(folder)})
    return run.evaluate_only(config, workdir, results_in)


def state(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_image_is_evaluated_and_the_own_results_stay(place, capsys):
    before = state(place / "run")
    evaluate(place, place / "other clinic")
    told = capsys.readouterr().out
    assert "external test: all 12 images of" in told
    assert "external test of busi, 12 images" in told
    assert "CAUTION" not in told
    rows = results.read_rows(place / "run", "evaluation_other_clinic")
    assert len(rows) == 12
    assert {row.class_name for row in rows} == set(CLASSES)
    summary = results.read_summary(place / "run", "evaluation_other_clinic")
    assert (summary["split"], summary["images_seen_in_training"]) == ("external", 0)
    assert summary["data_dir"] == str(place / "other clinic")
    page = (place / "run" / "evaluation_other_clinic" / "report.html").read_text()
    assert "External test: every image of another folder" in page
    assert "But " not in page
    after = state(place / "run")
    assert {path: after[path] for path in before} == before


def test_again_replaces_and_another_folder_of_that_name_does_not(place, tmp_path):
    evaluate(place, place / "other clinic")
    evaluate(place, write_busi(tmp_path / "other clinic", 2, (2, 2, 2)))
    evaluate(place, place / "other clinic")
    folders = sorted(path.name for path in (place / "run").glob("evaluation_other*"))
    assert folders == ["evaluation_other_clinic", "evaluation_other_clinic_2"]
    sizes = [len(results.read_rows(place / "run", folder)) for folder in folders]
    assert sizes == [12, 6]


def test_it_goes_where_it_is_asked_to(place, tmp_path):
    other = write_busi(tmp_path / "other", 5, (2, 2, 2))
    for _ in range(2):
        assert evaluate(place, other, "evaluation_named")["split"] == "external"
    assert len(results.read_rows(place / "run", "evaluation_named")) == 6
    assert not (place / "run" / "evaluation_other").exists()


def test_results_of_other_images_are_not_replaced(place, tmp_path):
    """Neither those of an external test by the run's own images, nor the other way round."""
    one = write_busi(tmp_path / "one", 6, (2, 2, 2))
    other = write_busi(tmp_path / "other", 7, (2, 2, 2))
    assert evaluate(place, one, "evaluation_one")["split"] == "external"
    assert evaluate(place, place / "own", "evaluation_flips")["split"] == "test"
    before = state(place / "run")
    for folder, name in ((other, "one"), (place / "own", "one"), (one, "flips")):
        with pytest.raises(UserError, match=f"evaluation_{name} holds the results of other images"):
            evaluate(place, folder, f"evaluation_{name}")
    assert state(place / "run") == before


def test_broken_results_can_be_made_again(place, tmp_path):
    """As the message that they are broken says."""
    other = write_busi(tmp_path / "torn", 8, (2, 2, 2))
    for folder, name, own in (
        (place / "own", "evaluation", True),
        (other, "evaluation_torn", False),
    ):
        assert (evaluate(place, folder, name)["split"] == "test") == own
        (place / "run" / name / "summary.json").write_text("{")
        assert (evaluate(place, folder, name)["split"] == "test") == own
        assert results.read_summary(place / "run", name)["split"] == ("test" if own else "external")


def test_the_own_images_elsewhere_are_no_external_test(place, tmp_path, capsys):
    shutil.copytree(place / "own", tmp_path / "moved")
    evaluate(place, tmp_path / "moved")
    assert "test split of busi" in capsys.readouterr().out
    assert not (place / "run" / "evaluation_moved").exists()
    assert results.read_summary(place / "run")["split"] == "test"


def test_images_that_it_was_trained_on_are_told(place, tmp_path, capsys):
    folder = write_busi(tmp_path / "mixed", 3, (3, 2, 2))
    train = run.splits.read(epath.Path(place / "run" / "split.json")).train
    known = next(id for id in train if id.startswith("benign"))
    for suffix in ("", "_mask"):
        shutil.copy(
            place / "own" / "benign" / f"{known}{suffix}.png",
            folder / "benign" / f"benign (1){suffix}.png",
        )
    evaluate(place, folder)
    assert "CAUTION: 1 of these images" in capsys.readouterr().out
    page = (place / "run" / "evaluation_mixed" / "report.html").read_text()
    assert "But 1 of them are, pixel for pixel" in page


def test_as_it_is_typed(place, tmp_path):
    """The flags of a field work without --config: the configuration is that of the run."""
    folder = write_busi(tmp_path / "typed", 4, (2, 2, 2))
    command = [sys.executable, "-m", "busjax.main", "--mode=evaluate", "--workdir"]
    done = subprocess.run(
        [*command, str(place / "run"), f"--config.data.dir={folder}"],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "external test of busi, 6 images" in done.stdout
    assert (place / "run" / "evaluation_typed" / "report.html").is_file()
