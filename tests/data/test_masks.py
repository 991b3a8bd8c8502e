"""Masks of every convention: the whole lesion, or a reason why not."""

import io

import numpy as np
import pytest
from PIL import Image

from busjax.data import masks

ONE = np.zeros((40, 40), np.uint8)
ONE[5:15, 5:15] = 1
TWO = ONE.copy()
TWO[22:34, 22:34] = 2
RIM = TWO.copy()
RIM[[0, -1]] = RIM[:, [0, -1]] = 255
FEW = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]  # as VOC 2012 colours its classes
GREYS = [0, 0, 0, 90, 90, 90, 255, 255, 255]


def content(image, kind="png", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def palette(indices, colours, transparency=None):
    image = Image.frombytes("P", indices.shape[::-1], indices.tobytes())
    image.putpalette(colours + [7] * (768 - len(colours)))
    return content(image, **({} if transparency is None else {"transparency": transparency}))


def stored(values, kind="png", **options):
    return content(Image.fromarray(values), kind, **options)


def soft(values):
    return np.asarray(Image.fromarray((values > 0) * np.uint8(255)).resize((80, 80)))


WHOLE = {
    "0 and 1": (stored(ONE), ONE),
    "1 and 2": (stored(TWO), TWO),
    "1, 2 and a rim": (stored(RIM), TWO),
    "1, 2 and a rim, 16 bits": (stored(RIM.astype(np.uint16)), TWO),
    "1 and 2 of 32 bits": (stored(TWO.astype(np.int32), "tiff"), TWO),
    "floats 0 and 1": (stored(ONE.astype(np.float32), "tiff"), ONE),
    "255 alone": (stored(ONE * 255), ONE),
    "65535 alone": (stored(ONE.astype(np.uint16) * 65535), ONE),
    "index, white background": (palette(ONE, [255, 255, 255, 255, 0, 0]), ONE),
    "index, as VOC": (palette(TWO, FEW), TWO),
    "index and a rim": (palette(RIM, FEW), TWO),
    "index, two greys": (palette(TWO, GREYS), TWO),
    "index, a transparent one": (palette(TWO, FEW, transparency=2), ONE),
    "index is the grey level": (palette(ONE * 255, [c for g in range(256) for c in [g] * 3]), ONE),
    "two colours": (stored(np.stack([(TWO > 0) * 200, (TWO == 2) * 200, TWO * 0], -1)
                           .astype(np.uint8)), TWO),
    "dark blue": (stored(np.stack([TWO * 0, TWO * 0, (TWO > 0) * 128], -1).astype(np.uint8)), TWO),
    "JPEG": (stored((TWO > 0) * np.uint8(255), "jpeg", quality=60), TWO),
    "1 bit": (content(Image.fromarray(TWO > 0)), TWO),
    "empty": (stored(ONE * 0), ONE * 0),
}  # fmt: skip


@pytest.mark.parametrize(("file", "expected"), WHOLE.values(), ids=WHOLE)
def test_the_whole_lesion_is_kept(file, expected):
    np.testing.assert_array_equal(masks.decode(file), expected > 0)


def test_soft_edges_end_at_half():
    edges = soft(ONE)
    assert set(np.unique(edges)) > {0, 255}
    np.testing.assert_array_equal(masks.decode(stored(edges)), edges > 127)
    shades = Image.fromarray(edges).quantize(64, dither=Image.Dither.NONE)
    darker = np.argsort(np.asarray(shades.getpalette()).reshape(-1, 3)[:, 0], kind="stable")
    ordered = shades.remap_palette(darker.tolist())  # dark to light, as a drawing program saves it
    assert (masks.decode(content(ordered)) ^ (edges > 127)).mean() < 0.005


@pytest.mark.parametrize(
    "values",
    [
        ONE * 90 + (TWO == 2) * np.uint8(255),  # a lesion that is darker than another
        ONE * 90 + np.pad((TWO == 2) * np.uint8(255), 0)[::-1, ::-1],
        np.where(TWO == 2, 255, np.where(np.indices(TWO.shape)[0] > 20, 100, 0)).astype(np.uint8),
    ],
    ids=["apart", "elsewhere", "around"],
)
def test_half_a_mask_is_never_kept(values):
    with pytest.raises(ValueError, match="neither black nor white"):
        masks.decode(stored(values))


def test_what_a_person_should_look_at():
    assert masks.doubt(ONE) is None
    assert masks.doubt(1 - ONE).startswith("its mask covers 94% of the image")
    ring = np.zeros((40, 40), np.uint8)
    ring[[0, -1]] = 1
    assert masks.doubt(ring).startswith("its mask covers 52% of the border")
