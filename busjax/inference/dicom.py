"""DICOM files -> grey frames, by pydicom (extra 'dicom')."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from busjax.data.pixels import grey
from busjax.errors import UserError, in_one_line
from busjax.inference.frame import Frame

_CENTIMETRES = 3  # of Physical Units X/Y Direction (0018,6024)


def read(content: bytes) -> Iterator[Frame]:
    """Yields the frames of a DICOM file, as they would be shown; burned-in regions stay.

    MONOCHROME1 is inverted, palettes and YBR become RGB, a window (VOI LUT) is applied, more than 8
    bits are scaled.

    Raises:
        UserError: pydicom is not installed, or the file holds no pixels that can be decoded.
    """
    try:
        import pydicom
    except ImportError as error:
        raise UserError("DICOM needs pydicom: pip install 'busjax[dicom]'") from error
    try:
        dataset = pydicom.dcmread(io.BytesIO(content), force=True)
        if "PixelData" not in dataset:
            raise UserError("it is DICOM without pixels")
        pixels = _frames(dataset)
    except UserError:
        raise
    except Exception as error:  # of the many libraries that decode
        raise UserError(
            f"its DICOM pixels cannot be decoded ({in_one_line(error)[:200]})"
        ) from error
    spacing, uids = _spacing(dataset), _uids(dataset)
    for index, frame in enumerate(pixels, 1):
        yield Frame(index if len(pixels) > 1 else 0, grey(frame), spacing, uids)


def _frames(dataset: Any) -> np.ndarray:
    """The frames (N, H, W) or (N, H, W, 3), uint8, or float in [0, 1]."""
    from pydicom.pixels import apply_color_lut, apply_voi_lut, pixel_array

    pixels = pixel_array(dataset)  # YBR is RGB by now
    colour = dataset.PhotometricInterpretation
    if colour == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
    in_colour = colour == "PALETTE COLOR" or dataset.SamplesPerPixel == 3
    if int(dataset.get("NumberOfFrames", 1) or 1) == 1:
        pixels = pixels[None]
    if in_colour:
        return pixels if pixels.dtype == np.uint8 else pixels / np.iinfo(pixels.dtype).max
    return _shown(apply_voi_lut(pixels, dataset), dataset)


def _shown(pixels: np.ndarray, dataset: Any) -> np.ndarray:
    """Grey levels in [0, 1], bright is bright."""
    bits = int(dataset.BitsStored)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if dataset.PixelRepresentation else (
        0, 2**bits - 1,
    )  # fmt: skip
    scaled = np.clip((pixels.astype(np.float64) - low) / (high - low), 0, 1)
    return 1 - scaled if dataset.PhotometricInterpretation == "MONOCHROME1" else scaled


def _uids(dataset: Any) -> dict[str, str | None]:
    return {
        "sop_class_uid": _text(dataset.get("SOPClassUID")),
        "sop_instance_uid": _text(dataset.get("SOPInstanceUID")),
        "series_instance_uid": _text(dataset.get("SeriesInstanceUID")),
        "study_instance_uid": _text(dataset.get("StudyInstanceUID")),
    }


def _text(value: Any) -> str | None:
    return str(value) if value else None


def _spacing(dataset: Any) -> tuple[float, float] | None:
    """Height and width of a pixel in millimetres, from Pixel Spacing or the largest region."""
    if given := dataset.get("PixelSpacing"):
        return float(given[0]), float(given[1])
    regions = [
        region
        for region in dataset.get("SequenceOfUltrasoundRegions", [])
        if region.get("PhysicalUnitsXDirection") == region.get("PhysicalUnitsYDirection")
        and region.get("PhysicalUnitsXDirection") == _CENTIMETRES
        and region.get("PhysicalDeltaX")
        and region.get("PhysicalDeltaY")
    ]
    if not regions:
        return None
    largest = max(regions, key=_area)
    return abs(float(largest.PhysicalDeltaY)) * 10, abs(float(largest.PhysicalDeltaX)) * 10


def _area(region: Any) -> int:
    width = int(region.RegionLocationMaxX1) - int(region.RegionLocationMinX0)
    return width * (int(region.RegionLocationMaxY1) - int(region.RegionLocationMinY0))
