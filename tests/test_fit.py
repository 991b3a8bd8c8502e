"""A network of padded images, from training to the mask in the pixels of the image."""

import numpy as np
import pytest
from etils import epath
from PIL import Image

import busjax
from busjax import run
from busjax.data.readers.phantom import PhantomSource
from busjax.data.sources import open_source
from busjax.errors import UserError
from busjax.inference.export import convert
from busjax.networks import places
from busjax.runs import configuration, results


def write_wide(folder, count, seed):
    """Phantoms of 30 x 60, as a table."""
    folder.mkdir()
    source, lines = PhantomSource(4 * count, seed, 60), ["image,mask,label"]
    for index in range(4 * count):
        record = source[index]
        mask = record.mask[15:45]
        if mask.any() == (record.label != 2) and len(lines) <= count:
            Image.fromarray(record.image[15:45]).save(folder / f"{index}.png")
            Image.fromarray(mask * 255).save(folder / f"{index}_m.png")
            lines.append(
                f"{index}.png,{index}_m.png,{('benign', 'malignant', 'normal')[record.label]}"
            )
    (folder / "images.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def padded(tmp_path_factory, train):
    """A small run with `data.fit=pad`, tested in the pixels of the images."""
    place = tmp_path_factory.mktemp("padded")
    folder = write_wide(place / "wide", 30, 2)
    small = {"width": 4, "depth": 2, "norm_groups": 2, "classifier_hidden": 8}
    data = {"source": "table", "dir": str(folder), "image_size": 16, "fit": "pad"}
    config = busjax.config("unet").but(
        model={**small, "refine": "both", "ops": "reference", "dtype": "float32"},
        data={**data, "test_fraction": 0.3, "validation_fraction": 0.3, "threads": 0},
        train={"batch_size": 4, "epochs": 2},
        inference={"grid": "image"},
    )
    workdir = epath.Path(place / "run")
    workdir.mkdir()
    train(config, workdir)
    return workdir


def test_scores_count_the_image_alone(padded):
    summary = results.read_summary(padded)
    assert summary["grid"] == "the original image"
    for row in results.read_rows(padded):
        assert row.tp + row.fp + row.fn + row.tn == 30 * 60
    config = configuration.read(padded).but(inference={"grid": "network"})
    run.evaluate_only(config, padded, "evaluation_network")
    for row in results.read_rows(padded, "evaluation_network"):
        assert row.tp + row.fp + row.fn + row.tn == 8 * 16
    pictures = results.read_predictions(padded)
    assert not pictures.probability[:, :4].any()
    assert not pictures.probability[:, 12:].any()
    assert not pictures.image[:, :4].any()


def test_a_prediction_is_what_was_scored(padded):
    predictor = busjax.load(padded)
    source = open_source(configuration.read(padded).data, "/")
    by_id = {id: source[index] for index, id in enumerate(source.ids)}
    for row in results.read_rows(padded):
        record = by_id[row.id]
        reading = predictor(record.image)
        assert reading.mask.shape == (30, 60)
        tp = int((reading.mask & (record.mask > 0)).sum())
        assert tp == pytest.approx(row.tp, abs=3)
        np.testing.assert_allclose(reading.class_probabilities, row.probabilities, atol=1e-4)
    tall = predictor(by_id[row.id].image.T)
    assert tall.mask.shape == (60, 30)


def test_it_is_handed_over_and_exported(padded, tmp_path):
    folder, _ = convert.export_folder(padded, epath.Path(tmp_path / "network"), "float32", "")
    other = busjax.load(folder)
    image = PhantomSource(1, 9, 60)[0].image[:30]
    expected = busjax.load(padded)(image)
    np.testing.assert_allclose(other(image).mask_probability, expected.mask_probability, atol=1e-5)
    file, difference = convert.export(padded, "stablehlo", epath.Path(tmp_path / "export"))
    assert difference <= convert.TOLERANCE
    exported = convert.FORMATS["stablehlo"][2](file)
    square = np.zeros((1, 16, 16, 1), np.float32)
    mask, _ = exported(square, square)
    assert not np.asarray(mask).any()  # nothing is inside


def test_another_fit_is_another_network(padded, tmp_path):
    config = configuration.read(padded).but(data={"fit": "stretch"})
    with pytest.raises(UserError, match=r"data\.fit|another"):
        run.evaluate_only(config, padded, "evaluation_other")
    folder, _ = convert.export_folder(padded, epath.Path(tmp_path / "network"), "float32", "")
    with pytest.raises(UserError, match=r"is another one: .*data\.fit"):
        places.open_network(folder, config)
