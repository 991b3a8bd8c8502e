"""DICOM files -> grey frames, by pydicom (extra 'dicom'), one frame at a time."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from busjax.data import colour
from busjax.data.pixels import eight_bits, grey
from busjax.errors import UserError, in_one_line
from busjax.inference.dicom import colours, grey_levels, jpeg, spacing
from busjax.inference.frame import Frame, Region

_LOSSY_JPEG = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
# Of SOP classes, PS3.4 table B.5-1: directories, reports, presentation states, waveforms, key
# objects, documents, plans of radiotherapy.
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_NO_PICTURES = (
    "1.2.840.10008.1.3.10",
    *(f"{_STORAGE}{number}" for number in ("88.", "11.", "9.", "104.", "66.1", "66.2", "66.6")),
    *(f"{_STORAGE}{number}" for number in ("481.3", "481.4", "481.5", "481.8")),
)
_HOPELESS = 8  # frames in a row that cannot be decoded, after which no other one is tried
_UIDS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")


class NoPicture(UserError):
    """The file is DICOM of a kind that holds no picture, such as a report or a directory."""


def read(content: bytes) -> Iterator[Frame]:
    """Yields the frames of a DICOM file, as they would be shown; burned-in regions stay.

    See `grey_levels.shown`; palettes and YBR become RGB, and colours grey.

    Raises:
        NoPicture: it is a directory, report, presentation state or the like.
        UserError: pydicom is not installed, or pixels cannot be decoded; of several frames those
            that can have been yielded.
    """
    try:
        import pydicom
    except ImportError as error:
        raise UserError("DICOM needs pydicom: pip install 'busjax[dicom]'") from error
    dataset = pydicom.Dataset()
    try:
        dataset = pydicom.dcmread(io.BytesIO(content), force=True)
        if "PixelData" not in dataset:
            raise _without_pixels(dataset)
        _complete(dataset)
        uids, regions = _uids(dataset), spacing.regions(dataset)
        damaged, n_read = [], 0
        for index, pixels in enumerate(_frames(dataset)):
            if isinstance(pixels, Exception):
                damaged.append((index + 1, pixels))
                continue
            yield _frame(dataset, index, pixels, uids, regions)
            n_read += 1
        if damaged and not n_read:
            raise damaged[0][1]
    except UserError:
        raise
    except Exception as error:  # of the many libraries that decode
        raise UserError(f"its DICOM pixels cannot be decoded ({_why(error, dataset)})") from error
    if damaged:
        first, why = damaged[0]
        n_others = _count(dataset) - n_read - 1
        more = f" and {n_others} more" if n_others else ""
        raise UserError(
            f"frame {first}{more} of {_count(dataset)} cannot be decoded "
            f"({_why(why, dataset)}); the other frames are read"
        )


def _without_pixels(dataset: Any) -> UserError:
    kind = str(dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID") or "")
    if kind.startswith(_NO_PICTURES):
        return NoPicture("it is DICOM of a kind that holds no picture")
    return UserError("it is DICOM without pixels")


def _frame(
    dataset: Any,
    index: int,
    pixels: np.ndarray,
    uids: dict[str, str | None],
    regions: tuple[Region, ...],
) -> Frame:
    number = index + 1 if _count(dataset) > 1 else 0
    size = spacing.of(dataset, index)
    measured = regions if size is None else ()  # it is of the whole picture
    size = size or spacing.common(regions)
    levels = eight_bits(_shown(pixels, dataset, index))
    coloured = colour.share(levels)
    return Frame(number, grey(levels), size, uids, measured, spacing.tissue(dataset), coloured)


def _count(dataset: Any) -> int:
    return int(dataset.get("NumberOfFrames") or 1)


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
    size = int(dataset.Rows) * int(dataset.Columns) * _count(dataset)
    is_whole = len(dataset.PixelData) >= 3 * size * int(dataset.BitsAllocated) // 8
    if dataset.PhotometricInterpretation == "YBR_FULL_422" and is_whole:
        dataset.PhotometricInterpretation = "YBR_FULL"  # three samples a pixel, not two


def _frames(dataset: Any) -> Iterator[np.ndarray | Exception]:
    """Each frame (H, W) or (H, W, 3) as it is stored, YBR as RGB, or why it cannot be decoded."""
    from pydicom.encaps import generate_frames
    from pydicom.pixels import iter_pixels

    count = _count(dataset)
    start: Callable[[int], Iterator[np.ndarray]]
    if dataset.file_meta.TransferSyntaxUID in _LOSSY_JPEG and int(dataset.BitsAllocated) == 8:
        photometric = dataset.PhotometricInterpretation
        streams = list(generate_frames(dataset.PixelData, number_of_frames=count))

        def start(first: int) -> Iterator[np.ndarray]:
            return (jpeg.decode(stream, photometric) for stream in streams[first:])
    else:

        def start(first: int) -> Iterator[np.ndarray]:
            return iter_pixels(dataset, indices=range(first, count) if first else None)

    rest, in_a_row = start(0), 0
    for index in range(count):
        try:
            pixels = next(rest)
        except Exception as error:
            yield error
            in_a_row += 1
            if in_a_row == _HOPELESS:
                return
            rest = start(index + 1)
        else:
            in_a_row = 0
            yield pixels


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
