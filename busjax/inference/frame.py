"""One picture of a file, as every reader gives it."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Frame:
    """One picture of a file.

    Attributes:
        number: within the file, from 1; 0: the file holds no other.
        pixels: (H, W) uint8 grey.
        spacing: height and width of a pixel in millimetres; None: not told.
        uids: of a DICOM file 'sop_class_uid', 'sop_instance_uid', 'series_instance_uid' and
            'study_instance_uid', None where it lacks one; None: it is no DICOM.
    """

    number: int
    pixels: np.ndarray
    spacing: tuple[float, float] | None = None
    uids: dict[str, str | None] | None = None
