"""Files of pydicom's own tests, files without meta information, and what cannot be decoded."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from busjax.errors import UserError
from busjax.inference import dicom
from busjax.inference.dicom import reader
from tests.inference.test_images import GREY, write_dicom

# Of every compression; what dcmtk 3.6 shows of them, but for JPEG 2000, which it does not read.
FILES = {
    "SC_rgb_rle.dcm": (0, 255),
    "SC_rgb_jpeg_dcmtk.dcm": (0, 255),
    "SC_rgb_jpeg_gdcm.dcm": (0, 255),  # lossless
    "SC_jpeg_no_color_transform.dcm": (139, 251),
    "JPEGLSNearLossless_08.dcm": (0, 255),
    "MR_small_jp2klossless.dcm": (52, 255),
    "examples_palette.dcm": (0, 255),
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_pydicom(name):
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"{name} is not part of the installed pydicom")
    frame = next(dicom.read(Path(path).read_bytes()))
    low, high = FILES[name]
    assert abs(int(frame.pixels.min()) - low) <= 2
    assert abs(int(frame.pixels.max()) - high) <= 2


@pytest.mark.parametrize("implicit", [True, False])
def test_without_file_meta_information(tmp_path, implicit):
    whole = pydicom.dcmread(write_dicom(tmp_path / "a.dcm", GREY))
    bare = Dataset()
    for element in whole:
        bare.add(element)
    path = tmp_path / "bare.dcm"
    bare.save_as(path, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
    (frame,) = dicom.read(path.read_bytes())
    np.testing.assert_array_equal(frame.pixels, GREY)


@pytest.mark.parametrize(
    ("has_gdcm", "remedy"), [(True, "pip install pylibjpeg"), (False, "pip install python-gdcm")]
)
def test_what_is_not_decoded_says_what_to_install(tmp_path, monkeypatch, has_gdcm, remedy):
    monkeypatch.setattr(reader, "_has_gdcm", lambda: has_gdcm)
    data = encapsulate([b"\xff\xd8" + b"\0" * 100 + b"\xff\xd9"])
    path = write_dicom(tmp_path / "a.dcm", GREY, syntax="1.2.840.10008.1.2.4.70", PixelData=data)
    with pytest.raises(UserError, match=f"JPEG Lossless.*{remedy}"):
        list(dicom.read(path.read_bytes()))
