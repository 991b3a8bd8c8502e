"""The picture inside the frame: found, read by itself, and put back where it lies."""

import io

import numpy as np
import pytest
from PIL import Image

import busjax
from busjax.data.readers.phantom import PhantomSource
from busjax.inference import predict, views
from busjax.inference.frame import Frame
from busjax.inference.views import View, find
from tests.inference.framed import framed

SOURCE = PhantomSource(6, 0, 200)


def close(found, wanted, tolerance=1):
    ends = [(v.left, v.top, v.right, v.bottom) for v in found]
    return np.abs(np.array(ends) - [(v.left, v.top, v.right, v.bottom) for v in wanted]).max() <= (
        tolerance
    )


@pytest.mark.parametrize("index", range(3))
def test_the_scan_is_found_in_a_frame(index):
    frame, wanted = framed(SOURCE[index].image)
    found = find(frame, (), "scan")
    assert len(found) == 1
    assert close(found, wanted)


def test_two_views_are_found():
    frame, wanted = framed(SOURCE[0].image, SOURCE[1].image)
    found = find(frame, (), "scan")
    assert len(found) == 2
    assert close(found, wanted)


def test_a_sector_of_a_curved_probe_is_found_whole():
    frame = np.zeros((300, 400), np.uint8)
    y, x = np.indices(frame.shape)
    radius, angle = np.hypot(x - 200, y + 40), np.arctan2(x - 200, y + 40)
    sector = (radius > 90) & (radius < 310) & (np.abs(angle) < 0.5)
    frame[sector] = np.random.default_rng(0).integers(30, 200, int(sector.sum()))
    rows, columns = np.flatnonzero(sector.any(1)), np.flatnonzero(sector.any(0))
    whole = View(columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    assert close(find(frame, (), "scan"), [whole], tolerance=6)  # its corners are sharp


def test_the_scan_is_found_in_a_frame_kept_as_jpeg():
    frame, wanted = framed(SOURCE[1].image)
    content = io.BytesIO()
    Image.fromarray(frame).save(content, "jpeg", quality=70)
    assert close(find(np.asarray(Image.open(content)), (), "scan"), wanted, tolerance=3)


@pytest.mark.parametrize("index", range(6))
def test_a_picture_without_a_border_is_the_frame(index):
    pixels = SOURCE[index].image
    assert find(pixels, (), "scan") == (View(0, 0, 200, 200),)


@pytest.mark.parametrize("value", [0, 255])
def test_an_even_frame_is_read_whole(value):
    assert find(np.full((60, 80), value, np.uint8), (), "scan") == (View(0, 0, 80, 60),)


@pytest.mark.parametrize(
    ("regions", "crop", "expected"),
    [
        ([], "regions", [View(0, 0, 80, 60)]),
        ([View(10, 5, 70, 50)], "none", [View(0, 0, 80, 60)]),
        ([View(10, 5, 70, 50)], "regions", [View(10, 5, 70, 50)]),
        ([View(10, 5, 70, 50)], "scan", [View(10, 5, 70, 50)]),
        ([View(-5, 5, 200, 50)], "regions", [View(0, 5, 80, 50)]),  # beyond the frame
        ([View(10, 5, 12, 7)], "regions", [View(0, 0, 80, 60)]),  # too small to be a picture
        ([View(40, 0, 80, 60), View(0, 0, 40, 60)], "regions",
         [View(0, 0, 40, 60), View(40, 0, 80, 60)]),  # from the left to the right
        ([View(0, 0, 80, 50), View(20, 10, 60, 40)], "regions", [View(0, 0, 80, 50)]),  # one inside
    ],
)  # fmt: skip
def test_regions(regions, crop, expected):
    assert find(np.full((60, 80), 99, np.uint8), regions, crop) == tuple(expected)


@pytest.mark.parametrize(
    ("probabilities", "index"),
    [
        ([[0.1, 0.1, 0.8], [0.5, 0.2, 0.3]], 1),  # one with a lesion
        ([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]], 1),  # the more malignant one
        ([[0.1, 0.0, 0.9], [0.2, 0.1, 0.7]], 1),  # the less normal one
    ],
)
def test_the_most_suspicious_view_speaks(probabilities, index):
    assert views.most_suspicious([np.array(each) for each in probabilities]) == index


def test_a_view_is_read_as_the_picture_alone_and_put_back(run_folder):
    frame, (place,) = framed(SOURCE[0].image)
    predictor = busjax.load(run_folder)
    alone = predictor(SOURCE[0].image)
    (reading,) = predictor.read([Frame(0, frame, tissue=(place,))])
    np.testing.assert_array_equal(place.of(reading.mask_probability), alone.mask_probability)
    np.testing.assert_array_equal(reading.class_probabilities, alone.class_probabilities)
    outside = reading.mask_probability.copy()
    place.of(outside)[:] = 0
    assert not outside.any()
    assert reading.views == (place,)
    for box, inner in zip(reading.boxes, alone.boxes, strict=True):
        assert (box.left, box.top) == (inner.left + place.left, inner.top + place.top)


def test_each_of_two_views_is_read_by_itself(run_folder):
    frame, places = framed(SOURCE[0].image, SOURCE[1].image)
    predictor = busjax.load(run_folder)
    alone = predictor([SOURCE[0].image, SOURCE[1].image])
    (reading,) = predictor.read([Frame(0, frame, tissue=tuple(places))])
    for place, one in zip(places, alone, strict=True):
        np.testing.assert_allclose(
            place.of(reading.mask_probability), one.mask_probability, atol=1e-6
        )
    spoken = views.most_suspicious([one.class_probabilities for one in alone])
    np.testing.assert_allclose(
        reading.class_probabilities, alone[spoken].class_probabilities, atol=1e-6
    )


def test_the_page_draws_what_was_read(run_folder, tmp_path):
    frame, (place,) = framed(SOURCE[0].image)
    (tmp_path / "in").mkdir()
    Image.fromarray(frame).save(tmp_path / "in/frame.png")
    Image.fromarray(SOURCE[0].image).save(tmp_path / "in/picture.png")
    where = [f"--workdir={run_folder}", f"--out={tmp_path / 'out'}", "--crop=scan"]
    assert predict.main([*where, str(tmp_path / "in")]) == 0
    page = (tmp_path / "out/index.html").read_text()
    drawn = f"M{place.left:.1f} {place.top:.1f}H{place.right:.1f}V"
    assert page.count("stroke-dasharray") == 1  # not of the picture that was read whole
    assert drawn in page
    assert "image; the dashed part was read" in page
