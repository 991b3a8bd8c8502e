"""DICOM files -> grey frames, by pydicom (extra 'dicom'), one frame at a time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from busjax.data.pixels import grey
from busjax.errors import UserError, in_one_line
from busjax.inference.dicom import colours, grey_levels, jpeg, spacing
from busjax.inference.frame import Frame

_LOSSY_JPEG = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
_UIDS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")


def read(content: bytes) -> Iterator[Frame]:
    """Yields the frames of a DICOM file, as they would be shown; burned-in regions stay.

    See `grey_levels.shown`; palettes and YBR become RGB, and colours grey.

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
        _complete(dataset)
        count = int(dataset.get("NumberOfFrames") or 1)
        uids, regions = _uids(dataset), spacing.regions(dataset)
        for index, pixels in enumerate(_frames(dataset)):
            number = index + 1 if count > 1 else 0
            levels = grey(_shown(pixels, dataset, index))
            size = spacing.of(dataset, index)
            measured = regions if size is None else ()  # it is of the whole picture
            size = size or spacing.common(regions)
            yield Frame(number, levels, size, uids, measured, spacing.tissue(dataset))
    except UserError:
        raise
    except Exception as error:  # of the many libraries that decode
        raise UserError(f"its DICOM pixels cannot be decoded ({_why(error, dataset)})") from error


def _complete(dataset: Any) -> None:
    """Adds what a file without meta information lacks, and mends what its length contradicts."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = FileMetaDataset()
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        return
    size = int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("NumberOfFrames") or 1)
    is_whole = len(dataset.PixelData) >= 3 * size * int(dataset.BitsAllocated) // 8
    if dataset.PhotometricInterpretation == "YBR_FULL_422" and is_whole:
        dataset.PhotometricInterpretation = "YBR_FULL"  # three samples a pixel, not two


def _frames(dataset: Any) -> Iterator[np.ndarray]:
    """Each frame (H, W) or (H, W, 3) as it is stored; YBR is RGB by now."""
    from pydicom.encaps import generate_frames
    from pydicom.pixels import iter_pixels

    if dataset.file_meta.TransferSyntaxUID in _LOSSY_JPEG and int(dataset.BitsAllocated) == 8:
        count = int(dataset.get("NumberOfFrames") or 1)
        for frame in generate_frames(dataset.PixelData, number_of_frames=count):
            yield jpeg.decode(frame, dataset.PhotometricInterpretation)
        return
    yield from iter_pixels(dataset)


def _shown(pixels: np.ndarray, dataset: Any, index: int) -> np.ndarray:
    if pixels.ndim == 3:
        return colours.of_samples(pixels, dataset)
    stored = grey_levels.stored_values(pixels, dataset)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        return colours.of_palette(stored, dataset)
    return grey_levels.shown(stored, dataset, index)


def _uids(dataset: Any) -> dict[str, str | None]:
    def of(name: str) -> str | None:
        return str(dataset.get(name) or "") or None

    names = ("sop_class_uid", "sop_instance_uid", "series_instance_uid", "study_instance_uid")
    return {name: of(keyword) for name, keyword in zip(names, _UIDS, strict=True)}


def _why(error: Exception, dataset: Any) -> str:
    """What is wrong, and for a compression that nothing here decodes what to install."""
    syntax = dataset.file_meta.TransferSyntaxUID if hasattr(dataset, "file_meta") else None
    photometric = dataset.get("PhotometricInterpretation", "unknown")
    said = f"{in_one_line(error)[:200]}; Photometric Interpretation {photometric}"
    if syntax is None or not syntax.is_compressed:
        return said
    decoders = "pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg" if _has_gdcm() else "python-gdcm"
    return f"{said}; its compression is {syntax.name}: pip install {decoders} for another decoder"


def _has_gdcm() -> bool:
    try:
        import gdcm  # noqa: F401
    except ImportError:
        return False
    return True
