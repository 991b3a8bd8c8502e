"""Masks are compared as the network sees them, or in the pixels of the original images."""

import re
import shutil

import numpy as np
import pytest
from etils import epath
from PIL import Image

import busjax
from busjax import run
from busjax.data.fitting import Area
from busjax.data.readers.phantom import PhantomSource
from busjax.data.sources import open_source
from busjax.evaluation import grid
from busjax.evaluation.report.run_page import write_report
from busjax.evaluation.report.tables import by_grid
from busjax.metrics import segmentation
from busjax.runs import configuration, results
from busjax.runs.finished import read_run


class Two:
    """An image of 6 x 8 whose lesion is its left half, and one of 3 x 3 without any."""

    def __getitem__(self, index):
        mask = np.zeros(((6, 8), (3, 3))[index], np.uint8)
        mask[:, :4] = index == 0
        return type("Record", (), {"mask": mask})()


def test_masks_are_resized_to_each_image():
    probability = np.zeros((2, 4, 4))
    probability[0, :, :2] = 1
    whole = [Area(0, 0, 4, 4)] * 2
    found = grid.in_image(probability, whole, Two(), [0, 1], 0)
    assert [count.tolist() for count in found.counts] == [[24, 0], [0, 0], [0, 0], [24, 9]]
    assert segmentation.dice(found.counts).tolist() == [1, 1]
    assert found.distances.hausdorff95[0] == 0
    assert np.isnan(found.distances.hausdorff95[1])
    assert found.lesions.found.tolist() == [1, 0]
    probability[0, 0, 3] = 1  # a second part
    assert grid.in_image(probability[:1], whole[:1], Two(), [0], 0).counts.fp[0] > 0
    assert grid.in_image(probability[:1], whole[:1], Two(), [0], 1).counts.fp[0] == 0


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A table of phantoms of 60 x 90, which a network of a smaller size is tested on."""
    folder = tmp_path_factory.mktemp("place") / "wide"
    folder.mkdir()
    source, lines = PhantomSource(9, 4, 90), ["image,mask,label"]
    for index in range(9):
        record = source[index]
        Image.fromarray(record.image[:60]).save(folder / f"{index}.png")
        Image.fromarray(record.mask[:60] * 255).save(folder / f"{index}_m.png")
        if record.mask[:60].any() or record.label == 2:
            name = ("benign", "malignant", "normal")[record.label]
            lines.append(f"{index}.png,{index}_m.png,{name}")
    (folder / "images.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def evaluated(run_folder, other, tmp_path_factory):
    """The run, tested on them in the pixels of the images."""
    workdir = epath.Path(shutil.copytree(run_folder, tmp_path_factory.mktemp("of") / "run"))
    data = {"source": "table", "dir": str(other)}
    config = configuration.read(workdir).but(data=data, inference={"grid": "image"})
    run.evaluate_only(config, workdir, "evaluation_wide")
    return workdir, config


def test_scores_are_those_of_a_prediction(evaluated, run_folder):
    workdir, config = evaluated
    predictor, source = busjax.load(run_folder), open_source(config.data, "/")
    rows = results.read_rows(workdir, "evaluation_wide")
    for row, index in zip(rows, range(len(source)), strict=True):
        record = source[index]
        assert row.tp + row.fp + row.fn + row.tn == record.mask.size == 60 * 90
        mask = predictor(record.image).mask
        counts = segmentation.count_pixels(mask[None], record.mask[None] > 0)
        assert (row.tp, row.fp, row.fn) == pytest.approx(
            [int(count[0]) for count in counts[:3]], abs=3
        )  # the two compile the network for batches of their own


def test_both_grids_stand_in_the_report(evaluated):
    workdir, config = evaluated
    summary = results.read_summary(workdir, "evaluation_wide")
    assert summary["grid"] == "the original image"
    assert summary["network_grid_dice_average"] != summary["dice_average"]
    assert "grid=image" in summary["inference"]
    table = by_grid(read_run(workdir, "evaluation_wide"))
    size = config.data.image_size
    assert [name for name, _ in table.rows] == ["original image", f"{size} x {size}"]
    page = write_report(workdir, "evaluation_wide").read_text()
    assert "Distances in pixels of the original image." in page
    assert "By grid" in page
    facts = re.findall(r"<dt>([^<]*)</dt>", page)
    assert not [name for name in facts if name.startswith("network grid")]


def test_a_run_says_in_which_pixels_it_was_measured(run_folder):
    found = read_run(run_folder)
    size = found.config["data.image_size"]
    words = f"the image resized to {size} x {size}, as the network sees it"
    assert found.facts["grid"] == words
    assert by_grid(found) is None
    assert "grid=" not in found.facts["inference"]
    assert (
        f"Distances in pixels of {words}." in (epath.Path(run_folder) / "report.html").read_text()
    )
    card = (epath.Path(run_folder) / "MODEL_CARD.md").read_text()
    assert words in card.partition("## Scores")[2].partition("## Known")[0]
