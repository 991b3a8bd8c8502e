"""Picture files of every kind: what they show is known, or asked for; nothing is guessed."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from busjax.data import pictures
from tests.data import tiff

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
BASE = np.linspace(0, 255, 48).round().astype(np.uint8).reshape(6, 8)  # from black to white


def content(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


# How a viewer turns what is stored, EXIF 2.3, table 6.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.T,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].T,
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff"])
def test_pictures_are_turned_upright(orientation, kind):
    exif = Image.Exif()
    exif[274] = orientation
    options = {"quality": 100} if kind == "jpeg" else {}
    found = pictures.decode(content(Image.fromarray(GREY), kind, exif=exif, **options))
    expected = UPRIGHT[orientation](GREY)
    assert found.shape == expected.shape
    assert abs(found.astype(int) - expected).max() <= (3 if kind == "jpeg" else 0)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_notes_do_no_harm():
    jpeg = bytearray(content(Image.fromarray(GREY), "jpeg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"))
    assert pictures.decode(bytes(jpeg)).shape == GREY.shape


UNKNOWN = {
    "float, 0 to 255": (BASE.astype(np.float32), "0,255"),
    "float, below 0": ((BASE / 255.0 - 0.5).astype(np.float32), "-0.5,0.5"),
    "int32": (BASE.astype(np.int32) * 1000, "0,255000"),
    "16 bits that hold 12": (np.round(BASE * (4095 / 255)).astype(np.uint16), "0,4095"),
    "16 bits that hold 10": (np.round(BASE * (1023 / 255)).astype(np.uint16), "0,1023"),
}


@pytest.mark.parametrize(("values", "ends"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_range_is_asked_for(values, ends):
    file = content(Image.fromarray(values), "tiff")
    with pytest.raises(ValueError, match="give them by grey_range"):
        pictures.decode(file)
    low, high = (float(end) for end in ends.split(","))
    found = pictures.decode(file, (low, high))
    assert abs(found.astype(int) - BASE).max() <= 1
    with pytest.raises(ValueError, match="are not within grey_range="):
        pictures.decode(file, (low, (low + high) / 2))


@pytest.mark.parametrize(
    ("values", "bits", "kind", "ends"),
    [
        (np.round(BASE * (2000 / 255) - 1000).astype("<i2"), 16, 2, (-1000, 1000)),
        (BASE.astype("<u4") * 2**24, 32, 1, (0, 255 * 2**24)),
        (np.round(BASE * (2.0e9 / 255) - 1e9).astype("<i4"), 32, 2, (-1e9, 1e9)),
    ],
    ids=["int16", "uint32", "int32"],
)  # fmt: skip
def test_signed_and_long_numbers(tmp_path, values, bits, kind, ends):
    file = tiff.write(tmp_path / "a.tif", values, bits, kind).read_bytes()
    with pytest.raises(ValueError, match="give them by grey_range"):
        pictures.decode(file)
    assert abs(pictures.decode(file, ends).astype(int) - BASE).max() <= 1


def test_a_type_that_says_its_range_is_read():
    deep = BASE.astype(np.uint16) * 257
    for file in (content(Image.fromarray(deep), "png"), content(Image.fromarray(deep), "tiff")):
        np.testing.assert_array_equal(pictures.decode(file), BASE)
    part = content(Image.fromarray((BASE / 255).astype(np.float32)), "tiff")
    np.testing.assert_array_equal(pictures.decode(part), BASE)
    black = content(Image.fromarray(deep * 0), "png")
    assert not pictures.decode(black).any()


def test_12_bits_of_their_own(tmp_path):
    """Two values in three bytes; TIFF then says that 4095 is white."""
    twelve = np.round(BASE.ravel() * (4095 / 255)).astype(int)
    pairs = twelve.reshape(-1, 2)
    packed = np.stack(
        [pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], -1
    ).astype(np.uint8)
    path = tiff.write(tmp_path / "a.tif", packed.reshape(6, 12), 12)
    file = path.read_bytes().replace(struct.pack("<HHII", 256, 4, 1, 12),
                                     struct.pack("<HHII", 256, 4, 1, 8))  # fmt: skip
    assert abs(pictures.decode(file).astype(int) - BASE).max() <= 1


@pytest.mark.parametrize("bits", [1, 8, 16])
def test_white_is_zero(tmp_path, bits):
    values = {
        1: np.packbits(BASE > 127, axis=1),
        8: 255 - BASE,
        16: 65535 - BASE.astype("<u2") * 257,
    }[bits]
    path = tiff.write(tmp_path / "a.tif", values, bits, photometric=0)
    expected = (BASE <= 127) * 255 if bits == 1 else BASE
    file = path.read_bytes().replace(struct.pack("<HHII", 256, 4, 1, values.shape[1]),
                                     struct.pack("<HHII", 256, 4, 1, 8))  # fmt: skip
    np.testing.assert_array_equal(pictures.decode(file), expected)


def png_rgb48(pixels):
    """A PNG with three channels of 16 bits, which Pillow does not write."""

    def chunk(kind, data):
        whole = kind + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def test_colours_of_16_bits(tmp_path):
    deep = np.repeat(BASE.astype("<u2")[..., None] * 257, 3, -1)
    of_tiff = tiff.write(tmp_path / "a.tif", deep, 16, photometric=2).read_bytes()
    for file in (png_rgb48(deep), of_tiff):
        assert abs(pictures.decode(file).astype(int) - BASE).max() <= 1
    of_tiff = tiff.write(tmp_path / "b.tif", deep >> 4, 16, photometric=2).read_bytes()
    for file in (png_rgb48(deep >> 4), of_tiff):  # twelve bits: nearly black
        with pytest.raises(ValueError, match="colours have 16 bits"):
            pictures.decode(file)


def test_reduced_copies_in_a_tiff_are_no_pictures():
    small = Image.fromarray(GREY[::2, ::2])
    small.encoderinfo = {"tiffinfo": {254: 1}}
    file = content(Image.fromarray(GREY), "tiff", save_all=True, append_images=[small])
    np.testing.assert_array_equal(pictures.decode(file), GREY)
