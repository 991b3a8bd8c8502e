"""Files of every kind: formats, modes, frames, sizes of pixels, and what cannot be read."""

import io
import os

import numpy as np
import pydicom
import pytest
from etils import epath
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, UltrasoundImageStorage

from busjax.errors import UserError
from busjax.inference import dicom, images, inputs
from busjax.inference.lesions import Box

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5


def write_dicom(path, pixels, photometric="MONOCHROME2", bits=8, syntax=None, **fields):
    """Writes (H, W), (N, H, W) or (H, W, 3) pixels."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax or ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = UltrasoundImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.SOPClassUID, dataset.SOPInstanceUID = UltrasoundImageStorage, "1.2.3"
    colour = pixels.ndim >= 3 and pixels.shape[-1] == 3
    dataset.Rows, dataset.Columns = pixels.shape[-3:-1] if colour else pixels.shape[-2:]
    dataset.SamplesPerPixel = 3 if colour else 1
    dataset.PhotometricInterpretation = photometric
    if colour:
        dataset.PlanarConfiguration = 0
    if pixels.ndim == 3 and not colour:
        dataset.NumberOfFrames = len(pixels)
    dataset.BitsAllocated = 8 if pixels.dtype == np.uint8 else 16
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = bits, bits - 1, 0
    dataset.PixelData = pixels.tobytes()
    for name, value in fields.items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return epath.Path(path)


def read(path):
    return list(images.read(epath.Path(path)))


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "jpg"])
def test_formats(tmp_path, suffix):
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(GREY).save(path, **({"quality": 100} if suffix == "jpg" else {}))
    (frame,) = read(path)
    assert (frame.number, frame.spacing, frame.pixels.dtype) == (0, None, np.uint8)
    assert abs(frame.pixels.astype(int) - GREY).max() <= (2 if suffix == "jpg" else 0)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA", "I;16"])
def test_modes(tmp_path, mode):
    picture = Image.fromarray(GREY.astype(np.uint16) * 257) if mode == "I;16" else (
        Image.fromarray(GREY).convert(mode)
    )  # fmt: skip
    picture.save(tmp_path / "image.png")
    np.testing.assert_array_equal(read(tmp_path / "image.png")[0].pixels, GREY)


def test_pages_of_a_tiff_are_frames(tmp_path):
    pages = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    first, second = read(tmp_path / "pages.tif")
    assert (first.number, second.number) == (1, 2)
    np.testing.assert_array_equal(second.pixels, 255 - GREY)


def test_a_damaged_page_is_named_and_the_others_are_read(tmp_path):
    pages = [Image.fromarray(np.roll(GREY, index)) for index in range(3)]
    pages[0].save(
        tmp_path / "pages.tif", save_all=True, append_images=pages[1:], compression="tiff_deflate"
    )
    with Image.open(tmp_path / "pages.tif") as image:
        image.seek(1)
        start = image.tag_v2[273][0]
    content = bytearray((tmp_path / "pages.tif").read_bytes())
    content[start : start + 8] = b"\xff" * 8
    (tmp_path / "pages.tif").write_bytes(content)
    frames = images.read(epath.Path(tmp_path / "pages.tif"))
    read = [next(frames), next(frames)]
    assert [frame.number for frame in read] == [1, 3]
    np.testing.assert_array_equal(read[1].pixels, np.roll(GREY, 2))
    with pytest.raises(UserError, match=r"page 2 cannot be decoded .*; the other pages are read"):
        next(frames)


def test_dicom_grey(tmp_path):
    (frame,) = read(write_dicom(tmp_path / "a.dcm", GREY))
    np.testing.assert_array_equal(frame.pixels, GREY)
    assert (frame.number, frame.spacing) == (0, None)
    (frame,) = read(write_dicom(tmp_path / "b.dcm", GREY, "MONOCHROME1"))
    np.testing.assert_array_equal(frame.pixels, 255 - GREY)
    deep = GREY.astype(np.uint16) * 16
    (frame,) = read(write_dicom(tmp_path / "c.dcm", deep, bits=12))
    assert abs(frame.pixels.astype(int) - GREY).max() <= 1


def test_dicom_colour(tmp_path):
    rgb = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], -1)
    expected = np.asarray(Image.fromarray(rgb).convert("L"))
    (frame,) = read(write_dicom(tmp_path / "a.dcm", rgb, "RGB"))
    np.testing.assert_array_equal(frame.pixels, expected)
    ybr = np.asarray(Image.fromarray(rgb).convert("YCbCr"))
    (frame,) = read(write_dicom(tmp_path / "b.dcm", ybr, "YBR_FULL"))
    assert abs(frame.pixels.astype(int) - expected).max() <= 2


def test_dicom_jpeg(tmp_path):
    """As scanners export their clips."""
    content = io.BytesIO()
    large = np.kron(GREY, np.ones((8, 8), np.uint8))
    Image.fromarray(large).save(content, "jpeg", quality=95)
    data = pydicom.encaps.encapsulate([content.getvalue()])
    path = write_dicom(tmp_path / "a.dcm", large, syntax=JPEGBaseline8Bit, PixelData=data)
    (frame,) = read(path)
    assert abs(frame.pixels.astype(int) - large).mean() < 3


@pytest.mark.parametrize("damaged", [(1,), (0, 2), (0, 1, 2)])
def test_dicom_frames_that_are_damaged_are_named(tmp_path, damaged):
    streams = []
    for index in range(3):
        content = io.BytesIO()
        Image.fromarray(np.kron(GREY, np.ones((8, 8), np.uint8))).save(content, "jpeg")
        streams.append(b"\xff\xd8 no picture" if index in damaged else content.getvalue())
    path = write_dicom(
        tmp_path / "a.dcm", np.zeros((3, 48, 64), np.uint8), syntax=JPEGBaseline8Bit,
        PixelData=pydicom.encaps.encapsulate(streams),
    )  # fmt: skip
    frames, numbers = images.read(path), []
    if len(damaged) == 3:
        message = "its DICOM pixels cannot be decoded"
    else:
        more = " and 1 more" if len(damaged) == 2 else ""
        message = rf"frame {damaged[0] + 1}{more} of 3 cannot be decoded .*other frames are read"
    with pytest.raises(UserError, match=message):
        numbers.extend(frame.number for frame in frames)
    assert numbers == [number for number in (1, 2, 3) if number - 1 not in damaged]


def test_dicom_frames_and_no_suffix(tmp_path):
    clip = np.stack([GREY, 255 - GREY, GREY // 2])
    path = write_dicom(tmp_path / "clip", clip)
    frames = read(path)
    assert [frame.number for frame in frames] == [1, 2, 3]
    np.testing.assert_array_equal(np.stack([frame.pixels for frame in frames]), clip)
    assert [file.name for file in inputs.collect([epath.Path(tmp_path)]).files] == ["clip"]


def test_dicom_spacing(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", GREY, PixelSpacing=[0.2, 0.1])
    assert read(path)[0].spacing == (0.2, 0.1)
    regions = []
    for size, delta, unit in ((2, 0.9, 3), (7, 0.02, 3), (90, 0.5, 4)):  # 4: seconds
        region = Dataset()
        region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
        region.RegionLocationMaxX1 = region.RegionLocationMaxY1 = size
        region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = unit
        region.PhysicalDeltaX, region.PhysicalDeltaY = delta, 2 * delta
        regions.append(region)
    path = write_dicom(tmp_path / "b.dcm", GREY, SequenceOfUltrasoundRegions=regions)
    (frame,) = read(path)
    assert frame.spacing is None  # that of no region holds for all
    assert [region.spacing for region in frame.regions] == [(18, 9), (0.4, 0.2)]
    path = write_dicom(tmp_path / "b.dcm", GREY, SequenceOfUltrasoundRegions=regions[1:])
    assert read(path)[0].spacing == pytest.approx((0.4, 0.2))
    del regions[1].RegionLocationMaxX1  # it lies nowhere
    path = write_dicom(tmp_path / "b.dcm", GREY, SequenceOfUltrasoundRegions=regions[1:])
    assert read(path)[0].regions == ()


@pytest.mark.parametrize(
    ("box", "spacing"),
    [
        (Box(0, 0, 10, 10, 1), (0.2, 0.2)),
        (Box(129, 0, 130, 10, 1), (0.2, 0.2)),  # the last column of the left region
        (Box(130, 0, 200, 100, 1), (0.1, 0.1)),
        (Box(129, 0, 131, 10, 1), None),  # across both
        (Box(150, 0, 160, 101, 1), None),  # beyond the lower edge
    ],
)
def test_a_lesion_has_the_scale_of_its_own_region(tmp_path, box, spacing):
    def region(first, last, centimetres):
        made = Dataset()
        made.RegionLocationMinX0, made.RegionLocationMinY0 = first, 0
        made.RegionLocationMaxX1, made.RegionLocationMaxY1 = last, 99
        made.PhysicalUnitsXDirection = made.PhysicalUnitsYDirection = 3
        made.PhysicalDeltaX = made.PhysicalDeltaY = centimetres
        return made

    views = [
        region(0, 129, 0.02),
        region(130, 199, -0.01),
    ]  # a delta may be negative: its direction
    picture = np.zeros((110, 200), np.uint8)
    path = write_dicom(tmp_path / "a.dcm", picture, SequenceOfUltrasoundRegions=views)
    assert read(path)[0].spacing_of(box) == (spacing and pytest.approx(spacing))
    path = write_dicom(tmp_path / "b.dcm", picture, PixelSpacing=[0.3, 0.4])
    assert read(path)[0].spacing_of(box) == (0.3, 0.4)  # of the whole picture


@pytest.mark.parametrize("given", ["0.2", [0, 0], [0.2, 0], [-0.1, 0.1]])
def test_sizes_that_are_none(tmp_path, given):
    path = write_dicom(tmp_path / "a.dcm", GREY, PixelSpacing=given)
    assert read(path)[0].spacing is None


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UserError, match="no regular file"):
        read(tmp_path / "pipe.png")


def test_dicom_without_pixels(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", GREY)
    dataset = pydicom.dcmread(path)
    del dataset.PixelData
    dataset.save_as(path)
    with pytest.raises(UserError, match="DICOM without pixels"):
        read(path)
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.33"  # a report
    dataset.save_as(path)
    with pytest.raises(dicom.NoPicture):
        read(path)
    write_dicom(path, GREY, Rows=600)
    with pytest.raises(UserError, match="cannot be decoded"):
        read(path)


@pytest.mark.parametrize("content", [b"only text", b"", b"\x89PNG\r\n\x1a\n broken"])
def test_what_is_no_image(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UserError, match="cannot be read as an image"):
        read(tmp_path / "a.png")


def test_half_an_image(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (99, 99), np.uint8)).save(
        tmp_path / "a.png"
    )
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="cannot be read as an image"):
        read(tmp_path / "a.png")
