"""The card says what the run's own files say, and what the network must not be used for."""

import json

import pytest

from busjax.data import splits
from busjax.errors import UserError
from busjax.evaluation import model_card
from busjax.runs import results
from tests.evaluation.test_report import write_run


@pytest.fixture
def card(tmp_path):
    """A function that writes a run, with some fields of its configuration, and reads its card."""

    def write(source="busi", labels=(0, 0, 1, 1, 1, 2, 2), **fields):
        folder = write_run(tmp_path / "run", labels, source=source)
        path = folder / "config.json"
        config = json.loads(path.read_text())
        for name, value in fields.items():
            section, _, field = name.rpartition(".")
            config[section or "data"][field] = value
        path.write_text(json.dumps(config))
        split = splits.Split(("a", "b"), ("c",), ("d", "e", "f"))
        splits.save(
            split,
            folder / splits.FILE,
            source=source,
            description="BUSI: 6 images; other: 3 images",
        )
        return model_card.write_model_card(folder).read_text()

    (tmp_path / "run").mkdir()
    return write


def test_holds_what_is_asked_of_it(card, tmp_path):
    text = card(groups="/some/where/list.csv", curation="none")
    assert "no medical device and must not be used" in text
    assert "for diagnosis" in text
    assert "* BUSI: 6 images; other: 3 images\n" in text
    assert "groups: list.csv" in text
    assert "/some/where" not in text  # no paths of this machine
    assert "2 train, 1 validation, 3 test" in text
    split = splits.read(tmp_path / "run" / splits.FILE)
    assert f"`{splits.digest(split)}`" in text
    assert "seed 0" in text
    assert "step 20" in text
    assert "commit abc123" in text
    assert "* jax 0.9.1, flax 0.12.0\n" in text
    assert "duplicates" not in text
    assert "phantom" not in text


def test_scores_and_weaknesses_are_those_of_the_rows(card, tmp_path):
    text = card()
    rows = results.read_rows(tmp_path / "run")
    scores = results.summary_from_rows(rows)
    line = next(line for line in text.splitlines() if line.startswith("| malignant"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    names = ("n", "dice", "iou", "sensitivity", "f1", "auc")
    assert cells[1] == "3"
    assert cells[2:] == [f"{scores[f'{name}_malignant']:.3f}" for name in names[1:]]
    missed = sum(row.class_name == "malignant" != row.predicted for row in rows)
    assert f"of 3 malignant test images {missed} were called otherwise" in text
    marked = sum(row.class_name == "normal" and row.tp + row.fp > 0 for row in rows)
    assert f"of 2 normal test images {marked} got a mask" in text
    assert "no list of duplicates was given" in text


def test_phantoms_and_missing_classes_are_told(card):
    text = card(source="phantom", labels=(0, 0, 1))
    assert "**Trained and tested on synthetic phantoms." in text
    assert "duplicates" not in text
    line = next(line for line in text.splitlines() if line.startswith("| normal"))
    assert "undefined" in line
    assert "normal test images" not in text


def test_says_of_how_many_sets_it_knows_patients(card):
    assert "patients of one data set only" in card()
    assert "patients of one data set only" in card(dir="/some/BUSI")
    assert "patients of 2 data sets only" in card(dir="/some/BUSI,/some/BUSBRA")
    assert "patients of 3 data sets only" in card(dir="/some/BUSI,/some/BUSBRA", extra="/third")


def test_names_the_encoder(card):
    assert "width 4, depth 2" in card(**{"model.width": 4, "model.depth": 2})
    text = card(**{"model.encoder": "efficientnet_lite0", "model.encoder_weights": "imagenet"})
    assert "encoder efficientnet_lite0 (imagenet weights at the start), width" in text
    assert "depth" not in text


def test_says_whether_probabilities_are_calibrated(card):
    assert "are not calibrated" in card()
    text = card(**{"inference.temperature": "validation"})
    assert "are calibrated on images of the same data" in text
    assert "are not calibrated" not in text


def test_another_split_has_another_digest():
    one = splits.Split(("a", "b"), ("c",), ("d",))
    assert splits.digest(one) == splits.digest(splits.Split(*one.parts().values()))
    assert splits.digest(one) != splits.digest(splits.Split(("a",), ("b", "c"), ("d",)))


def test_an_unfinished_run_is_told(tmp_path):
    with pytest.raises(UserError, match="is missing"):
        model_card.write_model_card(tmp_path)
