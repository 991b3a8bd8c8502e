"""What is no B-mode picture of one view is told; B-mode pictures are let through."""

import cv2
import numpy as np
import pytest
from PIL import Image

import busjax
from busjax.data import colour
from busjax.data.readers.phantom import PhantomSource
from busjax.inference import images, suitability, views
from busjax.inference.frame import Frame
from tests.inference.framed import framed

SOURCE = PhantomSource(6, 0, 200)


def objections(picture, crop="none"):
    frame = images.of_any(picture)
    return suitability.objections(frame, views.find(frame.pixels, (), crop))


def coloured(index=0):
    return np.repeat(SOURCE[index].image[..., None], 3, axis=-1)


def doppler():
    """A phantom with vessels in red and blue inside a box."""
    picture = coloured()
    cv2.ellipse(picture, (90, 80), (20, 9), 30, 0, 360, (230, 60, 20), -1)
    cv2.ellipse(picture, (130, 90), (16, 8), 100, 0, 360, (20, 60, 230), -1)
    return picture


def photograph():
    """Smooth fields of many colours."""
    cells = np.random.default_rng(0).uniform(0, 255, (5, 6, 3)).astype(np.float32)
    return (
        cv2.resize(cells, (240, 200), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
    )


@pytest.mark.parametrize("index", range(6))
def test_a_b_mode_picture_is_let_through(index):
    assert objections(SOURCE[index].image) == ()
    assert objections(coloured(index)) == ()


@pytest.mark.parametrize(
    "picture", [doppler(), photograph(), Image.fromarray(doppler()), doppler() / 255]
)
def test_colours_are_told(picture):
    (found,) = objections(picture)
    assert found.startswith("colours cover ")


def test_the_share_of_the_colours():
    picture = np.full((100, 200, 3), 90, np.uint8)
    picture[20:60, 50:100] = (200, 30, 30)
    assert colour.share(picture) == 0.1
    assert colour.share(Image.fromarray(picture)) == 0.1
    transparent = Image.fromarray(np.dstack([picture, np.zeros((100, 200), np.uint8)]))
    assert colour.share(transparent) == 0


def test_a_tinted_picture_is_b_mode():
    levels = SOURCE[0].image[..., None] / 255
    sepia = (levels * (255, 170, 90)).astype(np.uint8)
    assert np.ptp(sepia, axis=-1).max() > 100
    assert objections(sepia) == ()
    cv2.circle(sepia, (80, 80), 25, (20, 60, 230), -1)  # another hue beside it
    assert colour.share(sepia) > 0.01


def test_coloured_text_and_calipers_are_none():
    picture = coloured()
    cv2.putText(picture, "LT BREAST 2:00", (10, 190), cv2.FONT_HERSHEY_PLAIN, 1, (255, 220, 0))
    for x, y in ((60, 60), (120, 100)):
        cv2.drawMarker(picture, (x, y), (0, 255, 0), cv2.MARKER_CROSS, 9)
    assert objections(picture) == ()


@pytest.mark.parametrize(
    ("level", "reason"),
    [(0, "it is nearly black"), (255, "it is nearly white"), (100, "it has hardly any contrast")],
)
def test_a_frame_without_a_picture_is_told(level, reason):
    assert objections(np.full((120, 160), level, np.uint8)) == (reason,)


def test_a_black_frame_with_text_is_nearly_black():
    frame = np.zeros((200, 260), np.uint8)
    cv2.putText(frame, "NO SIGNAL", (40, 100), cv2.FONT_HERSHEY_PLAIN, 2, 255)
    assert objections(frame) == ("it is nearly black",)


def test_two_views_are_told_where_they_are_read_as_one():
    frame, _ = framed(SOURCE[0].image, SOURCE[1].image)
    (found,) = objections(frame)
    assert found.startswith("it seems to hold 2 views, read as one")
    assert objections(frame, crop="scan") == ()
    one, _ = framed(SOURCE[0].image)
    assert objections(one) == ()


def test_what_is_not_read_says_nothing():
    """A picture in a large black frame, of which only the picture is read."""
    frame = Frame(0, np.pad(SOURCE[0].image, 600))
    whole = views.find(frame.pixels, (), "none")
    assert suitability.objections(frame, whole) == ("it is nearly black",)
    inner = (views.View(600, 600, 800, 800),)
    assert suitability.objections(frame, inner) == ()


def test_a_grey_photograph_is_unlike_what_the_network_knows(run_folder):
    """Its pixels are those of no scanner; nothing else gives it away."""
    grey = np.asarray(Image.fromarray(photograph()).convert("L"))
    stripes = np.tile(np.repeat([40, 200], 20), 5).astype(np.uint8)[None].repeat(200, 0)
    text = np.full((200, 300), 200, np.uint8)
    for y in range(20, 200, 18):
        cv2.putText(
            text, "no lesion was seen in either breast", (8, y), cv2.FONT_HERSHEY_PLAIN, 1, 0
        )
    predictor = busjax.load(run_folder)
    source = PhantomSource(48, 0, 16)
    readings = predictor([source[index].image for index in range(48)])
    known = max(reading.doubt.distance for reading in readings)
    for picture in (grey, stripes, text):
        doubt = predictor(picture).doubt
        print(doubt.distance, known)
        assert doubt.distance > known
        assert doubt.reasons == ("it is unlike all images that the network was tried on",)
