"""Palettes, colours of more than 8 bits, and JPEG whose attribute lies."""

import io

import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from busjax.inference import dicom
from tests.inference.test_images import write_dicom

RAMP = np.repeat(np.arange(0, 256, 4, dtype=np.uint8)[None], 64, 0)
RGB = np.stack([RAMP] * 3, -1)


def levels(path):
    (frame,) = dicom.read(path.read_bytes())
    return frame.pixels


def palette(bits, data):
    """Red, green and blue alike, of three entries: what is shown is grey."""
    fields = {}
    for name in ("Red", "Green", "Blue"):
        fields[f"{name}PaletteColorLookupTableDescriptor"] = [3, 0, bits]
        fields[f"{name}PaletteColorLookupTableData"] = data
    return fields


@pytest.mark.parametrize(
    ("bits", "data"),
    [
        (8, bytes([0, 51, 255, 0])),
        (8, np.array([0, 51, 255], "<u2").tobytes()),
        (16, np.array([0, 13107, 65535], "<u2").tobytes()),
        (16, np.array([0, 51, 255], "<u2").tobytes()),  # 8-bit entries in 16-bit words
    ],
)
def test_palettes(tmp_path, bits, data):
    pixels = np.array([[0, 1, 2, 2]], np.uint8)
    path = write_dicom(tmp_path / "a.dcm", pixels, "PALETTE COLOR", **palette(bits, data))
    assert levels(path)[0].tolist() == pytest.approx([0, 51, 255, 255], abs=1)


@pytest.mark.parametrize(("bits", "top"), [(10, 1023), (12, 4095), (16, 65535)])
def test_colours_of_more_than_8_bits(tmp_path, bits, top):
    deep = np.round(RGB / 255 * top).astype(np.uint16)
    path = write_dicom(tmp_path / "a.dcm", deep, "RGB", bits=bits)
    assert np.abs(levels(path).astype(int) - RAMP).max() <= 1


def jpeg(colours=RGB, app0=True, **options):
    content = io.BytesIO()
    Image.fromarray(colours).save(content, "jpeg", quality=95, **options)
    stream = content.getvalue()
    size = int.from_bytes(stream[4:6], "big")
    return stream if app0 else stream[:2] + stream[4 + size :]


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL_422", "YBR_FULL"])
@pytest.mark.parametrize("app0", [True, False])
def test_jpeg_holds_ycbcr_whatever_the_attribute_says(tmp_path, photometric, app0):
    data = encapsulate([jpeg(app0=app0)])
    path = write_dicom(
        tmp_path / "a.dcm", RGB, photometric, syntax=JPEGBaseline8Bit, PixelData=data
    )
    assert np.abs(levels(path).astype(int) - RAMP).max() <= 6


def test_jpeg_of_bare_rgb_is_taken_at_its_word(tmp_path):
    """Components 0, 1, 2, without subsampling and without a marker: no YCbCr."""
    grey = Image.fromarray(np.stack([RAMP, RAMP, RAMP], -1), "YCbCr")  # stored as they are
    content = io.BytesIO()
    grey.save(content, "jpeg", quality=95, subsampling=0)
    stream = bytearray(content.getvalue())
    del stream[2 : 4 + int.from_bytes(stream[4:6], "big")]  # no JFIF
    for marker, first, step in ((b"\xff\xc0", 10, 3), (b"\xff\xda", 5, 2)):
        place = stream.index(marker)
        for index in range(3):
            assert stream[place + first + step * index] == index + 1
            stream[place + first + step * index] = index
    data = encapsulate([bytes(stream)])
    path = write_dicom(tmp_path / "a.dcm", RGB, "RGB", syntax=JPEGBaseline8Bit, PixelData=data)
    assert np.abs(levels(path).astype(int) - RAMP).max() <= 6


def test_uncompressed_422_of_three_samples_a_pixel(tmp_path):
    ybr = np.asarray(Image.fromarray(RGB).convert("YCbCr"))
    path = write_dicom(tmp_path / "a.dcm", ybr, "YBR_FULL_422")
    assert np.abs(levels(path).astype(int) - RAMP).max() <= 1
    packed = np.stack([ybr[:, ::2, 0], ybr[:, 1::2, 0], ybr[:, ::2, 1], ybr[:, ::2, 2]], -1)
    path = write_dicom(tmp_path / "b.dcm", ybr, "YBR_FULL_422", PixelData=packed.tobytes())
    assert np.abs(levels(path).astype(int) - RAMP).max() <= 1
