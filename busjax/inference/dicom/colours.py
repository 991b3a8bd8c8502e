"""Palettes and colours of any depth -> RGB in [0, 1]."""

from __future__ import annotations

from typing import Any

import numpy as np

from busjax.inference.dicom import lookup
from busjax.inference.dicom.grey_levels import is_signed, stored_values


def of_palette(stored: np.ndarray, dataset: Any) -> np.ndarray:
    """The colours of a palette: (H, W) stored values -> (H, W, 3) float in [0, 1]."""
    if "SegmentedRedPaletteColorLookupTableData" in dataset:
        from pydicom.pixels import apply_color_lut

        colours = apply_color_lut(stored, dataset)
        return colours / np.iinfo(colours.dtype).max
    channels = []
    for name in ("Red", "Green", "Blue"):
        descriptor = dataset[f"{name}PaletteColorLookupTableDescriptor"].value
        data = dataset[f"{name}PaletteColorLookupTableData"].value
        channels.append(lookup.read(descriptor, data, is_signed(dataset)))
    top = max(channel.top for channel in channels)
    return np.stack([channel(stored) for channel in channels], axis=-1) / top


def of_samples(pixels: np.ndarray, dataset: Any) -> np.ndarray:
    """(H, W, 3) RGB: uint8 of 8 bits as they are, of more bits as float in [0, 1]."""
    bits = int(dataset.BitsStored)
    if pixels.dtype == np.uint8 and bits == 8:
        return pixels
    return np.clip(stored_values(pixels, dataset) / (2**bits - 1), 0, 1)
