"""The report of small made-up runs: complete, self-contained, and honest about its source."""

import base64
import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from busjax.errors import UserError
from busjax.evaluation.report import cases
from busjax.evaluation.report.__main__ import main
from busjax.evaluation.report.run_page import BANNER, write_report
from busjax.metrics.segmentation import count_pixels
from busjax.runs import results
from busjax.runs.finished import read_run
from busjax.runs.rows import make_rows
from busjax.variants import load_variant

SIDE = 16


def write_run(directory, labels, source="phantom", prefix="case"):
    """A run folder whose k-th image is predicted with k wrong pixels."""
    labels = np.array(labels)
    n = len(labels)
    rng = np.random.default_rng(0)
    mask = np.zeros((n, SIDE, SIDE), bool)
    mask[labels != 2, 4:12, 4:12] = True
    probability = np.where(mask, 230, 20).astype(np.uint8)
    for index in range(n):
        probability[index, 0, :index] = 230
    ids = [f"{prefix}{index}" for index in range(n)]
    rows = make_rows(
        ids, ids, labels, rng.dirichlet([1, 1, 1], n), count_pixels(probability >= 128, mask)
    )
    facts = {"source": source, "description": "made up", "checkpoint_step": 20, "commit": "abc123"}
    facts["versions"] = "jax 0.9.1, flax 0.12.0"
    image = rng.integers(256, size=mask.shape, dtype=np.uint8)
    results.write(
        directory,
        rows,
        {**results.summary_from_rows(rows), **facts},
        results.Predictions(np.array(ids), image, mask, probability),
    )
    (directory / "config.json").write_text(json.dumps(dataclasses.asdict(load_variant("unetpp"))))
    return directory


def write_history(directory, epochs):
    lines = [
        {
            "epoch": epoch,
            "step": 10 * epoch,
            "seconds": 30.0,
            "train": {"loss": loss},
            "validation": {"loss": loss, "dice_average": 0.5, "accuracy": None},
        }
        for epoch, loss in epochs
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (directory / "history.jsonl").write_text(text)


@pytest.fixture
def run_folder(tmp_path):
    """Nine phantoms, three a class, and three epochs of which the second was repeated."""
    write_run(tmp_path, [0, 1, 2] * 3)
    write_history(tmp_path, [(1, 1.0), (2, 0.9), (2, 0.8), (3, 0.7)])
    return tmp_path


def page_of(directory):
    return write_report(directory).read_text()


def test_phantoms_are_announced(run_folder):
    page = page_of(run_folder)
    assert "Trained and tested on synthetic phantoms. These are not BUSI results." in page
    assert "synthetic phantoms</title>" in page


def test_busi_has_no_banner(tmp_path):
    page = page_of(write_run(tmp_path, [0, 1, 2], source="busi"))
    assert BANNER not in page
    assert "Tested on BUSI, n = 3: 1 benign, 1 malignant, 1 normal." in page
    page = page_of(write_run(tmp_path, [0, 1, 2], source="busi+table"))
    assert "Tested on BUSI and the images of a table, n = 3" in page
    page = page_of(write_run(tmp_path, [0, 1, 2], source="other"))
    assert "BUSI" not in page.partition("</header>")[0]  # of which nothing is known


def test_page_needs_no_other_file(run_folder):
    page = page_of(run_folder)
    shown = re.findall(r'(?:src|<(?:image|use)[^>]* href)="([^"]*)', page)
    assert len(shown) == 4 + 9 * 3  # charts; pixels once a case, used twice more
    assert all(link.startswith(("data:image/", "#")) for link in shown)
    assert not re.search(r"https?:|<script[^>]|<link|@import|url\(", page)
    assert {link[1:] for link in shown if link[0] == "#"} <= set(re.findall(r'id="([^"]*)', page))
    assert len(page) < 3_000_000


def test_the_files_of_the_run_are_linked(run_folder):
    links = re.findall(r'<a href="([^"]*)"', page_of(run_folder))
    assert {"evaluation/images.csv", "evaluation/summary.json", "config.json"} < set(links)
    assert "MODEL_CARD.md" not in links  # this run has none
    (run_folder / "MODEL_CARD.md").write_text("card")
    links = re.findall(r'<a href="([^"]*)"', page_of(run_folder))
    assert "MODEL_CARD.md" in links
    for link in links:
        assert (run_folder / link).is_file()
    (run_folder / "evaluation").rename(run_folder / "evaluation_b")
    page = write_report(run_folder, "evaluation_b")
    links = re.findall(r'<a href="([^"]*)"', page.read_text())
    assert {"images.csv", "../config.json", "../MODEL_CARD.md"} < set(links)
    for link in links:
        assert (page.parent / link).is_file()


def test_every_image_is_in_the_list(run_folder):
    listing = page_of(run_folder).partition('class="listing"')[2].partition("</section>")[0]
    rows = [re.findall(r"<td[^>]*>([^<]*)</td>", line) for line in re.findall("<tr>.*", listing)]
    first = results.read_rows(run_folder)[0]
    assert [row[0] for row in rows[1:]] == [f"case{index}" for index in range(9)]
    assert rows[1][1:3] == [first.class_name, first.predicted]
    assert rows[1][3:] == [f"{x:.3f}" for x in (*first.probabilities, first.dice, first.iou)]


def test_numbers_are_rounded(run_folder):
    path = run_folder / "evaluation/summary.json"
    facts = {"temperature": 0.6612018346786499, "parameters": 605103, "is_ensemble": False}
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))
    page = page_of(run_folder)
    for name, shown in (
        ("temperature", "0.6612"),
        ("parameters", "605,103"),
        ("is ensemble", "no"),
    ):
        assert f"<dt>{name}</dt><dd>{shown}</dd>" in page
    text = re.sub(r'"data:[^"]*"| d="[^"]*"', "", page)
    assert not re.search(r"\d\.\d{5,}", text.partition("configuration fields")[0])


def test_every_score_is_shown(run_folder):
    page = page_of(run_folder)
    for name, value in results.read_summary(run_folder).items():
        if isinstance(value, float):
            assert f">{value:.3f}<" in page, name
    assert "abc123" in page
    assert "<dt>model.name</dt><dd>unetpp</dd>" in page  # differs from the default
    assert "<dt>model.depth</dt>" not in page
    assert "model.depth = 4" in page


def test_confusion_matrix_is_of_the_rows(tmp_path):
    write_run(tmp_path, [0, 0, 1])
    cells = [int(count) for count in re.findall(r"<td style[^>]*><b>(\d+)", page_of(tmp_path))]
    expected = np.zeros((3, 3), int)
    for row in results.read_rows(tmp_path):
        expected["bmn".index(row.class_name[0]), "bmn".index(row.predicted[0])] += 1
    assert cells == expected.ravel().tolist()


def test_every_picture_has_words(run_folder):
    page = page_of(run_folder)
    alternatives = re.findall(r'<img alt="([^"]+)"', page)
    assert len(alternatives) == 4
    assert "Loss by epoch; the checkpoint of epoch 2 was evaluated" in alternatives
    assert len(re.findall(r'<figure role="img" aria-label="[^"]+"', page)) == 27


def test_names_are_escaped(tmp_path):
    page = page_of(write_run(tmp_path, [0, 1, 2], prefix='<script>alert("1")</script>&'))
    assert page.count("<script") == 1  # ours
    assert "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;&amp;0" in page


def test_best_median_and_worst(run_folder):
    """The k-th image has k wrong pixels, so the Dice of a class falls with k."""
    run = read_run(run_folder)
    found = cases.cases_of(run, "malignant")
    assert [case.rank for case in found] == ["best", "median", "worst"]
    assert [case.row.id for case in found] == ["case1", "case4", "case7"]


def test_equal_dice_is_ranked_by_the_true_class(tmp_path):
    write_run(tmp_path, [2, 2, 2])
    run = read_run(tmp_path)
    rows = [
        dataclasses.replace(row, dice=1.0, p_normal=p)
        for row, p in zip(run.rows, (0.5, 0.9, 0.2), strict=True)
    ]
    found = cases.cases_of(dataclasses.replace(run, rows=rows), "normal")
    assert [case.row.id for case in found] == ["case1", "case0", "case2"]


@pytest.mark.parametrize(
    ("count", "ranks"), [(0, []), (1, ["only"]), (2, ["best", "worst"])], ids=str
)
def test_few_images(tmp_path, count, ranks):
    write_run(tmp_path, [0] * count + [1])
    assert [case.rank for case in cases.cases_of(read_run(tmp_path), "benign")] == ranks
    assert "<h3>Malignant</h3>" in page_of(tmp_path)


def test_outlines_enclose_the_mask(run_folder):
    """The square of pixels 4..11 reaches from 4 to 12 when pixel edges are whole numbers."""
    case = cases.cases_of(read_run(run_folder), "benign")[0]  # case0: no wrong pixel
    (truth,) = case.truth
    assert truth.min(axis=0).tolist() == [4, 4]
    assert truth.max(axis=0).tolist() == [12, 12]
    (prediction,) = case.prediction
    assert np.abs(prediction - 8).max() == pytest.approx(4, abs=0.1)


def test_pixels_are_those_of_the_image(run_folder, tmp_path):
    case = cases.cases_of(read_run(run_folder), "benign")[0]
    _, _, data = case.picture.source.partition("base64,")
    (tmp_path / "x.png").write_bytes(base64.b64decode(data))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "x.png")), case.image)


def test_last_of_repeated_epochs_counts(run_folder):
    history = read_run(run_folder).history
    assert [(entry["epoch"], entry["train"]["loss"]) for entry in history] == [
        (1, 1.0),
        (2, 0.8),
        (3, 0.7),
    ]


def test_without_history_there_are_no_curves(tmp_path):
    page = page_of(write_run(tmp_path, [0, 1, 2]))
    assert "Validation scores" not in page
    assert "Confusion matrix" in page


def test_same_run_same_bytes(run_folder):
    assert page_of(run_folder) == page_of(run_folder)


def test_scores_that_the_table_contradicts_are_refused(run_folder):
    path = run_folder / "evaluation/summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "accuracy": 0.99}))
    with pytest.raises(UserError, match=r"has accuracy 0\.99, images\.csv gives"):
        write_report(run_folder)


@pytest.mark.parametrize(
    "name", ["config.json", "evaluation/images.csv", "evaluation/summary.json"]
)
def test_incomplete_folder_is_one_line(run_folder, capsys, name):
    (run_folder / name).unlink()
    assert main([str(run_folder)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert Path(name).name in line
    assert not (run_folder / "report.html").exists()


@pytest.mark.parametrize("name", ["config.json", "history.jsonl"])
def test_broken_files_are_one_line(run_folder, capsys, name):
    (run_folder / name).write_text("{\n{\n")
    assert main([str(run_folder)]) == 1
    assert re.search(rf"{name}.*: not JSON", capsys.readouterr().err)


def test_command(run_folder, tmp_path, capsys):
    picture = tmp_path / "overlays.png"
    assert main([str(run_folder), f"--overlays={picture}"]) == 0
    assert capsys.readouterr().out.split() == [str(run_folder / "report.html"), str(picture)]
    pixels = np.asarray(Image.open(picture).convert("RGB")).reshape(-1, 3).astype(int)
    for colour in (cases.TRUTH, cases.PREDICTION):
        wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
        assert (np.abs(pixels - wanted).max(axis=1) < 8).sum() > 500


def test_no_jax():
    """A report can be made where only the files of a run are."""
    code = "import sys, busjax.evaluation.report.__main__; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_is_kept_is_shown_where_doubt_is_known(run_folder):
    assert "Scores by coverage" not in page_of(run_folder)
    rows = results.read_rows(run_folder)
    told = [dataclasses.replace(row, doubt=i / 10, abstains=i % 2) for i, row in enumerate(rows)]
    summary = {**results.read_summary(run_folder), **results.summary_from_rows(told)}
    results.write(run_folder, told, summary, results.read_predictions(run_folder))
    page = page_of(run_folder)
    assert "Scores by coverage" in page
    kept = sum(not row.abstains for row in told)
    assert f"{kept} of {len(rows)} are kept" in page
    assert re.search(rf"images without &#39;I do not know&#39;</dt><dd>{kept}</dd>", page)
