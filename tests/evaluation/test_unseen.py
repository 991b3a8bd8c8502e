"""Networks on sets of other clinics: scores by hand, what was seen left out, the matrix."""

import csv
import dataclasses
import shutil

import numpy as np
import pytest
from etils import epath

from busjax.config import Config
from busjax.data import splits
from busjax.data.readers.phantom import PhantomSource
from busjax.errors import UserError
from busjax.evaluation.unseen import measure, tested, unseen_page
from busjax.evaluation.unseen.__main__ import _check_names, main
from busjax.inference.export.__main__ import main as export
from busjax.metrics.boundary import Distances
from busjax.metrics.detection import Lesions
from busjax.metrics.segmentation import PixelCounts
from busjax.networks import packaged
from busjax.runs.rows import make_rows
from tests.data.readers.test_sets import WRITERS, save


def rows_of(labels, probabilities, tp, fp, fn, groups=None, hausdorff=None):
    n = len(labels)
    counts = PixelCounts(*np.array([tp, fp, fn, [100] * n], np.int64))
    nothing = np.zeros(n, np.int64)
    distances = Distances(np.array(hausdorff or [np.nan] * n, float), np.full(n, np.nan))
    return make_rows(
        [str(i) for i in range(n)], groups or [str(i) for i in range(n)], np.array(labels),
        np.array(probabilities), counts, distances, Lesions(nothing, nothing, nothing),
    )  # fmt: skip


ROWS = rows_of(
    labels=[0, 0, 1, 1, 2, 2],
    #  malignancy: 0.2, 0.6, 0.5, 0.75
    probabilities=[[0.8, 0.2, 0], [0.2, 0.3, 0.5], [0.3, 0.3, 0.4], [0.1, 0.3, 0.6],
                   [0.01, 0.19, 0.8], [0.4, 0.4, 0.2]],
    tp=[5, 0, 3, 1, 0, 0],
    fp=[0, 0, 2, 0, 0, 7],
    fn=[0, 4, 2, 6, 0, 0],
    hausdorff=[1, np.nan, 3, 8, np.nan, np.nan],
)  # fmt: skip


def test_scores_by_hand():
    found = measure.measure(ROWS, 0.55)
    assert found.counts == (2, 2, 2)
    scores = found.scores
    assert scores["dice_lesions"] == pytest.approx((1 + 0 + 0.6 + 0.25) / 4)
    assert scores["dice_all"] == pytest.approx((1 + 0 + 0.6 + 0.25 + 1 + 0) / 6)
    assert scores["hausdorff95"] == pytest.approx(4)
    assert scores["auc"] == pytest.approx(3 / 4)  # of four pairs 0.5 < 0.6 is wrong
    assert scores["sensitivity"] == 0.5
    assert scores["specificity"] == 0.5
    assert scores["auc_lesion"] == pytest.approx(5 / 8)  # 1, 0.5, 0.6, 0.4 against 0.2, 0.8
    assert scores["mask_on_normal"] == 0.5
    assert set(scores) == set(measure.SCORES.values())
    for name, (low, high) in found.intervals.items():
        if name not in ("kept", "dice_lesions_kept"):  # these rows do not say it
            assert low <= scores[name] <= high


def test_what_is_kept_by_hand():
    assert np.isnan(measure.measure(ROWS, 0.5).scores["kept"])
    rows = [
        dataclasses.replace(row, abstains=abstains)
        for row, abstains in zip(ROWS, [0, 1, 0, 0, 1, 0], strict=True)
    ]
    scores = measure.measure(rows, 0.5).scores
    assert scores["kept"] == pytest.approx(4 / 6)
    assert scores["dice_lesions_kept"] == pytest.approx((1 + 0.6 + 0.25) / 3)


def test_intervals_are_drawn_by_patient():
    """Six images of one patient say no more than one."""
    alone = measure.measure(rows_of([0, 1] * 6, [[0.6, 0.4, 0]] * 12, [5, 1] * 6, [0] * 12,
                                    [0, 8] * 6, ["p"] * 12), 0.5)  # fmt: skip
    low, high = alone.intervals["dice_lesions"]
    assert low == high == pytest.approx(alone.scores["dice_lesions"], abs=1e-12)


def test_a_set_without_normal_images_has_no_score_of_them():
    scores = measure.measure(ROWS[:4], 0.5).scores
    assert np.isnan(scores["mask_on_normal"])
    assert np.isnan(scores["auc_lesion"])
    assert np.isfinite(scores["auc"])
    scores = measure.measure(ROWS[:2], 0.5).scores
    assert np.isnan(scores["auc"])
    assert np.isnan(scores["sensitivity"])


def test_the_threshold_is_that_of_validation():
    rows = rows_of([0, 0, 0, 1, 1], [[0.9, 0.1, 0], [0.8, 0.2, 0], [0.6, 0.4, 0],
                                     [0.7, 0.3, 0], [0.1, 0.9, 0]],
                   [1] * 5, [0] * 5, [0] * 5)  # fmt: skip
    assert measure.frozen_threshold(rows) == pytest.approx(0.25)  # both found, two of three spared
    assert measure.frozen_threshold(rows[:3]) is None
    assert measure.frozen_threshold([]) is None


@pytest.fixture(scope="module")
def place(tmp_path_factory, train):
    """A run on a small BUSI folder, and a folder in the layout of BUS-BRA beside it."""
    place = tmp_path_factory.mktemp("clinics")
    source = PhantomSource(30, 3, 24)
    numbers = dict.fromkeys(("benign", "malignant", "normal"), 0)
    for index in range(30):
        record = source[index]
        name = ("benign", "malignant", "normal")[record.label]
        numbers[name] += 1
        stem = f"{name} ({numbers[name]})"
        save(place / "busi" / name / f"{stem}.png", record.image)
        save(place / "busi" / name / f"{stem}_mask.png", record.mask * 255)
    (place / "busbra").mkdir()
    WRITERS["bus_bra"](place / "busbra")
    small = {"width": 4, "depth": 2, "norm_groups": 2, "classifier_hidden": 8}
    config = Config().but(
        name="unet",
        model={**small, "name": "unet", "ops": "reference", "dtype": "float32"},
        data={"dir": str(place / "busi"), "image_size": 16, "threads": 0, "test_fraction": 0.3,
              "validation_fraction": 0.3},
        train={"batch_size": 4, "epochs": 1},
    )  # fmt: skip
    (place / "run").mkdir()
    train(config, epath.Path(place / "run"))
    return place


def test_what_was_seen_is_left_out_and_the_matrix_is_whole(place, capsys):
    where = [f"--network={place / 'run'}", f"--dir={place / 'busi'}", f"--dir={place / 'busbra'}"]
    assert main([*where, f"--out={place / 'out'}"]) == 0
    told = capsys.readouterr().out
    assert "run on busi: 21 images that it has seen are left out" in told
    with open(place / "out/unseen.csv") as file:
        lines = list(csv.DictReader(file))
    assert [(line["tested on"], line["scanner"]) for line in lines] == [
        ("busi", ""), ("busbra", ""), ("busbra", "Scanner 1"), ("busbra", "Scanner 2"),
    ]  # fmt: skip
    assert [line["seen"] for line in lines] == ["21", "0", "0", "0"]
    assert sum(int(lines[0][name]) for name in ("benign", "malignant", "normal")) == 9
    assert [int(lines[1][name]) for name in ("benign", "malignant", "normal")] == [1, 2, 0]
    page = (place / "out/index.html").read_text()
    for title in (*measure.SCORES, "By scanner"):
        assert f"<h2>{title}</h2>" in page
    assert lines[1]["mask_on_normal"] == "nan"
    assert main([*where, f"--out={place / 'out'}"]) == 0
    assert capsys.readouterr().out.count("evaluated before") == 2
    with open(place / "out/unseen.csv") as file:
        assert list(csv.DictReader(file)) == lines


def test_the_page_says_what_a_reader_must_know(place, tmp_path):
    one = tested.of(place / "run", epath.Path(place / "busbra"))
    assert unseen_page.said(one) == ""
    unknown = type(one)(**{**vars(one), "n_seen": None, "is_frozen": False})
    assert "which of these images it has seen is not known" in unseen_page.said(unknown)
    assert "it is 0.5" in unseen_page.said(unknown)
    assert unseen_page.BANNER not in unseen_page.page([one]).decode()
    assert unseen_page.BANNER in unseen_page.page([type(one)(**{**vars(one), "is_phantom": True})]
                                                 ).decode()  # fmt: skip


@pytest.mark.parametrize(
    ("network", "folder", "message"),
    [
        ("gone", "busbra", "no network"),
        ("run", "gone", "does not exist"),
        ("run", "run", "no BUSI"),
    ],
)
def test_mistakes_are_told_in_a_line(place, tmp_path, capsys, network, folder, message):
    words = [f"--network={place / network}", f"--dir={place / folder}", f"--out={tmp_path / 'o'}"]
    assert main(words) == 1
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_a_set_that_was_seen_whole_is_left_out_and_the_others_are_tested(place, tmp_path, capsys):
    for id in splits.read(epath.Path(place / "run" / splits.FILE)).train:
        for kind in ("", "_mask"):
            name = f"{id.partition(' ')[0]}/{id}{kind}.png"
            (tmp_path / "seen" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(place / "busi" / name, tmp_path / "seen" / name)
    words = [
        f"--network={place / 'run'}",
        f"--out={tmp_path / 'out'}",
        f"--dir={tmp_path / 'seen'}",
    ]
    assert main(words) == 1
    assert "busjax: nothing is left to test on" in capsys.readouterr().err
    assert main([*words, f"--dir={place / 'busbra'}"]) == 0
    assert "left out: " in (told := capsys.readouterr().out)
    assert "run has seen all" in told
    with open(tmp_path / "out/unseen.csv") as file:
        assert {line["tested on"] for line in csv.DictReader(file)} == {"busbra"}


def test_two_of_one_name_are_refused():
    with pytest.raises(UserError, match="two networks"):
        _check_names([("a", "b"), ("a", "c"), ("a", "b")])


def test_a_network_of_phantoms_says_so(run_folder, place, tmp_path):
    workdir = shutil.copytree(run_folder, tmp_path / "of_phantoms")
    assert tested.of(workdir, epath.Path(place / "busbra")).is_phantom


def test_a_network_that_was_handed_over_keeps_its_threshold(place, tmp_path, monkeypatch, capsys):
    packages = tmp_path / "packages"
    export([f"--workdir={place / 'run'}", "--format=folder", f"--out={packages / 'given'}"])
    wanted = tested.frozen(epath.Path(place / "run"))
    assert wanted is not None
    assert tested.frozen(epath.Path(packages / "given")) == pytest.approx(wanted)
    before = sorted(path.name for path in (packages / "given").iterdir())
    monkeypatch.setattr(packaged, "FOLDER", packages)
    words = ["--network=given", f"--dir={place / 'busbra'}", f"--out={tmp_path / 'out'}"]
    assert main(words) == 0
    assert "it is 0.5" not in capsys.readouterr().out
    assert sorted(path.name for path in (packages / "given").iterdir()) == before
    with open(tmp_path / "out/unseen.csv") as file:
        (line, *_) = csv.DictReader(file)
    assert float(line["threshold"]) == pytest.approx(wanted, rel=1e-5)
