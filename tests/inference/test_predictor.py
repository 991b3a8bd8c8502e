"""The predictor says what the evaluation said, of images of any size and kind."""

import shutil

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import busjax
from busjax.classes import CLASSES
from busjax.data.readers.phantom import PhantomSource
from busjax.errors import UserError
from busjax.inference import predictor as inference
from busjax.runs import configuration, results
from tests.inference.test_images import write_dicom


@pytest.fixture(scope="module")
def predictor(run_folder):
    return busjax.load(run_folder)


@pytest.fixture(scope="module")
def images():
    source = PhantomSource(48, 0, 16)
    return [source[index].image for index in range(8)]


def assert_same(reading, other, atol=1e-6):
    np.testing.assert_allclose(reading.mask_probability, other.mask_probability, atol=atol)
    np.testing.assert_allclose(reading.class_probabilities, other.class_probabilities, atol=atol)


def test_says_what_the_evaluation_said(predictor, run_folder):
    rows, pictures = results.read_rows(run_folder), results.read_predictions(run_folder)
    source = PhantomSource(48, 0, 16)
    readings = predictor([source[source.ids.index(row.id)].image for row in rows])
    for row, reading, probability in zip(rows, readings, pictures.probability, strict=True):
        np.testing.assert_allclose(reading.class_probabilities, row.probabilities, atol=1e-5)
        assert reading.class_name == row.predicted
        found = reading.doubt
        wanted = (row.mask_uncertainty, row.class_uncertainty, row.contradiction, row.novelty)
        said = (found.mask, found.classes, found.contradiction, found.distance)
        np.testing.assert_allclose(said, wanted, rtol=1e-3, atol=1e-5)
        assert found.mask_disagreement is row.mask_disagreement is None
        assert found.abstains == bool(row.abstains)
        assert abs(reading.mask_probability * 255 - probability).max() <= 0.51
        assert abs(int(reading.mask.sum()) - (row.tp + row.fp)) <= 1  # a pixel at the threshold
    assert predictor.step == results.read_summary(run_folder)["checkpoint_step"]


def test_form_of_a_reading(predictor):
    image = np.random.default_rng(0).integers(0, 256, (37, 53), np.uint8)
    reading = predictor(image)
    assert reading.mask.shape == reading.mask_probability.shape == (37, 53)
    assert (reading.mask.dtype, reading.mask_probability.dtype) == (bool, np.float32)
    assert reading.class_probabilities.shape == (3,)
    assert reading.class_probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert 0 <= reading.mask_probability.min() <= reading.mask_probability.max() <= 1
    np.testing.assert_array_equal(reading.mask, reading.mask_probability >= 0.5)
    assert reading.class_name in CLASSES


def test_all_kinds_of_pixels_are_read_alike(predictor, images):
    image = images[0]
    expected = predictor(image)
    opaque = np.full(image.shape, 255, np.uint8)
    for same in (
        image.astype(np.uint16) * 257,
        image.astype(np.float32) / 255,
        image.astype(np.float64) / 255,
        image[..., None],
        np.stack([image] * 3, -1),
        np.stack([image] * 3, -1).astype(np.float32) / 255,
        np.stack([*[image] * 3, opaque], -1),
    ):
        assert_same(predictor(same), expected)
    nothing = np.stack([*[image] * 3, 0 * opaque], -1)  # transparent is black, as in files
    assert_same(predictor(nothing), predictor(0 * image))


def test_a_list_is_read_as_its_images_one_by_one(predictor, images):
    mixed = [*images, images[0][:9], np.stack([images[1]] * 3, -1)]
    readings = predictor(mixed)
    assert len(readings) == len(mixed)
    for image, reading in zip(mixed, readings, strict=True):
        assert reading.mask.shape == image.shape[:2]
        assert_same(reading, predictor(image), atol=1e-5)
    assert predictor([]) == []


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(0, []), (1, [1]), (2, [4]), (3, [4]), (4, [4]), (5, [4, 1]), (15, [4, 4, 4, 4]),
     (16, [16]), (35, [16, 16, 4])],
)  # fmt: skip
def test_batches(count, sizes):
    assert [size for _, size in inference._batches(count)] == sizes
    starts = [start for start, _ in inference._batches(count)]
    assert starts == [sum(sizes[:i]) for i in range(len(sizes))]


def test_compiles_a_bounded_number_of_times(run_folder, images):
    predictor = busjax.load(run_folder)
    for count in range(1, 24):
        predictor([images[i % 8] for i in range(count)])
    assert predictor.compute._cache_size() == len(inference.BATCH_SIZES)


@pytest.mark.parametrize("shape", [(1, 1), (6000, 6000), (3, 2000)])
def test_sizes_without_bound(predictor, shape):
    reading = predictor(np.full(shape, 100, np.uint8))
    assert reading.mask.shape == shape


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros(5, np.uint8), "shape"),
        (np.zeros((4, 4, 2), np.uint8), "shape"),
        (np.zeros((0, 4), np.uint8), "at least one pixel"),
        (np.zeros((4, 4), np.int32), "int32"),
        (np.zeros((4, 4), bool), "bool"),
        (np.full((4, 4), 255.0), r"not all in \[0, 1\]"),
        (np.full((4, 4), np.nan), r"not all in \[0, 1\]"),
        (np.full((4, 4), -0.1), r"not all in \[0, 1\]"),
    ],
)
def test_what_is_no_image_is_told(predictor, image, message):
    with pytest.raises(UserError, match=message):
        predictor(image)


def test_no_run_and_no_checkpoint(tmp_path, run_folder):
    with pytest.raises(UserError, match="holds no run"):
        busjax.load(tmp_path)
    shutil.copy(run_folder / "config.json", tmp_path)
    with pytest.raises(UserError, match="holds no checkpoint: train first"):
        busjax.load(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_nothing_is_written_to_the_run(run_folder, images):
    def state():
        return {path: path.stat().st_mtime_ns for path in run_folder.rglob("*")}

    before = state()
    busjax.load(run_folder)(images[0])
    assert state() == before


def test_a_run_of_an_earlier_version_has_the_defaults(run_folder, tmp_path):
    text = (run_folder / "config.json").read_text()
    assert '"timeout": 300' in text
    old = text.replace('"timeout": 300', '"gone": 1')
    (tmp_path / "config.json").write_text(old)
    assert configuration.fields(tmp_path) == configuration.fields(run_folder)


def test_an_image_of_every_kind_is_the_same_image(predictor, tmp_path):
    pixels = PhantomSource(1, 3, 40)[0].image
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    write_dicom(tmp_path / "a.dcm", pixels)
    expected = predictor(pixels)
    given = [
        *(Image.fromarray(pixels), Image.fromarray(pixels).convert("RGBA"), jnp.asarray(pixels)),
        *(path, str(path), path.read_bytes(), tmp_path / "a.dcm"),
        (tmp_path / "a.dcm").read_bytes(),
        *(pixels.astype(np.uint16) * 257, pixels / 255, pixels[..., None]),
    ]
    for image in given:
        np.testing.assert_array_equal(predictor(image).mask_probability, expected.mask_probability)
    found = predictor(given)
    assert len(found) == len(given)
    assert len(predictor(tuple(given[:2]))) == 2


def test_a_range_that_is_given_counts_for_arrays(run_folder, predictor):
    pixels = PhantomSource(1, 3, 40)[0].image
    ranged = busjax.load(run_folder, grey_range="0,2550")
    expected = predictor(pixels).mask_probability
    for kind in (np.int64, np.uint16, np.float32):
        with pytest.raises(UserError, match="give them by grey_range"):
            predictor(pixels.astype(kind) * 10)
        found = ranged(pixels.astype(kind) * 10)
        np.testing.assert_array_equal(found.mask_probability, expected)


def test_files_that_are_no_single_image_are_told(predictor, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    pages = [Image.new("L", (8, 8), level) for level in (10, 200)]
    pages[0].save(tmp_path / "two.tif", save_all=True, append_images=pages[1:])
    for name, message in (
        ("text.png", "text.png': it cannot be read as an image"),
        ("two.tif", "two.tif' holds several frames"),
        ("gone.png", "gone.png' does not exist"),
        (".", "it is no regular file"),
    ):
        with pytest.raises(UserError, match=message):
            predictor(tmp_path / name)
    with pytest.raises(UserError, match="the content that is given: it cannot be read"):
        predictor(b"no image")
