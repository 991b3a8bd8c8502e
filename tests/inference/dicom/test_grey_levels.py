"""Grey levels of DICOM beside values computed by hand from PS3.3 C.7.6.3, C.11.1 and C.11.2."""

import numpy as np
import pytest
from pydicom.dataset import Dataset

from busjax.inference import dicom
from busjax.inference.dicom import reader
from tests.inference.test_images import write_dicom

TWELVE = np.array([[0, 1024, 2048, 3072, 4095]], np.uint16)


def levels(path):
    (frame,) = dicom.read(path.read_bytes())
    return frame.pixels[0].tolist()


def write(tmp_path, pixels=TWELVE, bits=12, **fields):
    return write_dicom(tmp_path / "a.dcm", pixels, bits=bits, **fields)


def item(**fields):
    made = Dataset()
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_without_a_window_all_stored_bits_count(tmp_path):
    assert levels(write(tmp_path)) == [0, 64, 128, 191, 255]  # value / 4095 * 255


@pytest.mark.parametrize(
    ("center", "width", "function", "expected"),
    [
        # ((x - (c - 0.5)) / (w - 1) + 0.5): c 2048, w 2049
        (2048, 2049, "LINEAR", [0, 0, 128, 255, 255]),
        # (x - c) / w + 0.5
        (2048, 4096, "LINEAR_EXACT", [0, 64, 128, 191, 255]),
        # 1 / (1 + exp(-4 (x - c) / w)): 0.119, 0.269, 0.5, 0.731, 0.881
        (2048, 4096, "SIGMOID", [30, 69, 128, 186, 224]),
        ([2048, 0], [4096, 1], "LINEAR_EXACT", [0, 64, 128, 191, 255]),  # the first of two
        (2048, 0, "LINEAR", [0, 64, 128, 191, 255]),  # no window
        (2048, -3, "LINEAR", [0, 64, 128, 191, 255]),
        (1024.5, 1, "LINEAR", [0, 0, 255, 255, 255]),  # a step
    ],
)
def test_windows(tmp_path, center, width, function, expected):
    path = write(tmp_path, WindowCenter=center, WindowWidth=width, VOILUTFunction=function)
    assert levels(path) == pytest.approx(expected, abs=1)


def test_the_rescale_comes_before_the_window(tmp_path):
    """1024 becomes 0 and 3072 becomes 0.5 of a window from 0 to 1, of a width below 1 step."""
    path = write(
        tmp_path, RescaleSlope=1 / 4096, RescaleIntercept=-0.25, WindowCenter=0.5, WindowWidth=1
    )
    assert levels(path) == pytest.approx([0, 0, 64, 128, 191], abs=1)


def test_a_negative_slope_inverts(tmp_path):
    path = write(tmp_path, RescaleSlope=-1, RescaleIntercept=4095)
    assert levels(path) == [255, 191, 127, 64, 0]


def test_a_modality_lut(tmp_path):
    lut = item(LUTDescriptor=[3, 1, 8], LUTData=bytes([10, 20, 255, 0]), ModalityLUTType="US")
    path = write(tmp_path, np.array([[0, 1, 2, 3, 9]], np.uint8), 8, ModalityLUTSequence=[lut])
    assert levels(path) == [10, 10, 20, 255, 255]  # values outside are given the ends


@pytest.mark.parametrize(
    ("bits", "data"),
    [
        (8, bytes([0, 51, 255, 0])),  # a byte an entry
        (8, np.array([0, 51, 255], "<u2").tobytes()),  # a word an entry
        (16, np.array([0, 13107, 65535], "<u2").tobytes()),
        (10, np.array([0, 205, 1023], "<u2").tobytes()),
        (16, np.array([0, 51, 255], "<u2").tobytes()),  # 16 bits announced, 8 written
    ],
)
def test_voi_luts_of_any_depth(tmp_path, bits, data):
    lut = item(LUTDescriptor=[3, 0, bits], LUTData=data)
    path = write(tmp_path, np.array([[0, 1, 2, 7]], np.uint8), 8, VOILUTSequence=[lut])
    assert levels(path) == pytest.approx([0, 51, 255, 255], abs=1)


def test_signed_values(tmp_path):
    signed = np.array([[-2048, -1024, 0, 1024, 2047]], np.int16)
    path = write(tmp_path, signed, PixelRepresentation=1)
    assert levels(path) == [0, 64, 128, 191, 255]


def test_signed_values_of_fewer_bits_than_allocated(tmp_path):
    """-2048 in 12 bits, with zeros above, as many scanners write it."""
    stored = (np.array([[-2048, -1024, 0, 1024, 2047]]) & 0xFFF).astype(np.uint16)
    path = write(tmp_path, stored, PixelRepresentation=1)
    assert levels(path) == [0, 64, 128, 191, 255]


def test_bits_above_those_stored_do_not_count(tmp_path):
    assert levels(write(tmp_path, TWELVE | 0xF000)) == [0, 64, 128, 191, 255]


def test_monochrome1_is_inverted_after_the_window(tmp_path):
    path = write(tmp_path, photometric="MONOCHROME1", WindowCenter=1024, WindowWidth=2048)
    assert levels(path) == pytest.approx([255, 127, 0, 0, 0], abs=1)


def test_groups_of_frames_have_windows_and_sizes_of_their_own(tmp_path):
    """The shared groups hold for the first frame, its own for the second."""
    shared = item(
        FrameVOILUTSequence=[item(WindowCenter=1024, WindowWidth=2048)],
        PixelMeasuresSequence=[item(PixelSpacing=[0.2, 0.1])],
        PixelValueTransformationSequence=[item(RescaleSlope=1, RescaleIntercept=0)],
    )
    own = item(
        FrameVOILUTSequence=[item(WindowCenter=2048, WindowWidth=4096)],
        PixelMeasuresSequence=[item(PixelSpacing=[0.4, 0.3])],
    )
    path = write(
        tmp_path,
        np.stack([TWELVE, TWELVE]),
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=[item(), own],
    )
    first, second = dicom.read(path.read_bytes())
    assert first.pixels[0].tolist() == pytest.approx([0, 128, 255, 255, 255], abs=1)
    assert second.pixels[0].tolist() == pytest.approx([0, 64, 128, 191, 255], abs=1)
    assert (first.spacing, second.spacing) == ((0.2, 0.1), (0.4, 0.3))


def test_frames_come_one_by_one(tmp_path, monkeypatch):
    """None is decoded before it is asked for: a long clip takes the memory of a frame."""
    path = write(tmp_path, np.stack([TWELVE] * 3))
    seen = []
    monkeypatch.setattr(
        reader, "_shown", lambda pixels, *_: seen.append(0) or (pixels >> 4).astype("u1")
    )
    frames = dicom.read(path.read_bytes())
    for number in (1, 2, 3):
        assert next(frames).number == number
        assert len(seen) == number
