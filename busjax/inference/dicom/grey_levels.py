"""Stored values -> grey levels as a viewer shows them (PS3.3 C.11, PS3.4 N.2)."""

from __future__ import annotations

from typing import Any

import numpy as np

from busjax.inference.dicom import lookup
from busjax.inference.dicom.attributes import first_number, group, of_frame


def shown(stored: np.ndarray, dataset: Any, index: int) -> np.ndarray:
    """Grey levels of a frame in [0, 1]; bright is bright, whatever the photometric interpretation.

    Modality LUT or rescale, then the first VOI LUT or window; without one, the range that the
    stored bits can have.

    Args:
        stored: (H, W) integers, see `stored_values`.
        dataset: the file.
        index: of the frame, from 0.
    """
    values, low, high = _modality(stored, dataset, index)
    grey = _of_interest(values, low, high, dataset, index)
    return 1 - grey if dataset.PhotometricInterpretation == "MONOCHROME1" else grey


def stored_values(pixels: np.ndarray, dataset: Any) -> np.ndarray:
    """The values of the stored bits alone: what lies above them, such as an overlay, is none."""
    bits = int(dataset.BitsStored)
    high = int(dataset.get("HighBit", bits - 1))
    allocated = 8 * pixels.dtype.itemsize
    if bits >= allocated:
        return pixels
    unsigned = pixels.astype(np.int64) >> max(0, high + 1 - bits) & (2**bits - 1)
    if is_signed(dataset):
        unsigned = np.where(unsigned >= 2 ** (bits - 1), unsigned - 2**bits, unsigned)
    return unsigned


def is_signed(dataset: Any) -> bool:
    """Whether stored values are signed."""
    return int(dataset.get("PixelRepresentation", 0)) == 1


def _modality(stored: np.ndarray, dataset: Any, index: int) -> tuple[np.ndarray, float, float]:
    """The values after the modality LUT or the rescale, and the range that they can have."""
    if tables := dataset.get("ModalityLUTSequence"):
        table = lookup.read(tables[0].LUTDescriptor, tables[0].LUTData, is_signed(dataset))
        return table(stored), 0.0, float(table.top)
    bits = int(dataset.BitsStored)
    ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if is_signed(dataset) else (0, 2**bits - 1)
    of = "PixelValueTransformationSequence"
    slope = first_number(of_frame(dataset, index, of, "RescaleSlope"))
    intercept = first_number(of_frame(dataset, index, of, "RescaleIntercept")) or 0.0
    slope = slope or 1.0  # of 0 nothing would be left
    low, high = sorted(slope * end + intercept for end in ends)
    return slope * stored.astype(np.float64) + intercept, low, high


def _of_interest(
    values: np.ndarray, low: float, high: float, dataset: Any, index: int
) -> np.ndarray:
    """The values of interest in [0, 1]: by a VOI LUT, a window, or all of them."""
    holder = group(dataset, index, "FrameVOILUTSequence") or dataset
    tables = holder.get("VOILUTSequence")
    if tables:
        table = lookup.read(tables[0].LUTDescriptor, tables[0].LUTData, low < 0)
        return table(values) / table.top
    center = first_number(holder.get("WindowCenter"))
    width = first_number(holder.get("WindowWidth"))
    if center is not None and width is not None and width > 0:
        function = str(holder.get("VOILUTFunction") or "LINEAR").upper()
        return _window(values.astype(np.float64), center, width, function)
    return np.clip((values - low) / (high - low), 0, 1)


def _window(values: np.ndarray, center: float, width: float, function: str) -> np.ndarray:
    """A window as PS3.3 C.11.2.1 defines it.

    A LINEAR one of a width of 1 or less, as of values rescaled to [0, 1], has no slope: it is taken
    as LINEAR_EXACT.
    """
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -700, 700)))
    if function == "LINEAR" and width > 1:
        center, width = center - 0.5, width - 1
    return np.clip((values - center) / width + 0.5, 0, 1)
