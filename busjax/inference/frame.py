"""One picture of a file, as every reader gives it."""

from __future__ import annotations

import dataclasses

import numpy as np

from busjax.inference.lesions import Box
from busjax.inference.views import View


@dataclasses.dataclass(frozen=True)
class Region:
    """A part of a picture that has a scale of its own, such as one of two views.

    Attributes:
        left, top, right, bottom: pixels, right and bottom excluded.
        spacing: height and width of a pixel in millimetres.
    """

    left: int
    top: int
    right: int
    bottom: int
    spacing: tuple[float, float]

    def holds(self, box: Box) -> bool:
        """Whether a lesion lies in it, with all of its box."""
        across = self.left <= box.left and box.right <= self.right
        return across and self.top <= box.top and box.bottom <= self.bottom


@dataclasses.dataclass(frozen=True)
class Frame:
    """One picture of a file.

    Attributes:
        number: within the file, from 1; 0: the file holds no other.
        pixels: (H, W) uint8 grey.
        spacing: height and width of a pixel in millimetres; None: not told, or not one of all
            `regions`.
        tissue: regions of tissue, as a DICOM file tells them.
        regions: that are measured, where the file tells no spacing of the whole picture.
        uids: of a DICOM file 'sop_class_uid', 'sop_instance_uid', 'series_instance_uid' and
            'study_instance_uid', None where it lacks one; None: it is no DICOM.
        coloured: share of it that coloured areas cover, see `data.colour`.
    """

    number: int
    pixels: np.ndarray
    spacing: tuple[float, float] | None = None
    uids: dict[str, str | None] | None = None
    regions: tuple[Region, ...] = ()
    tissue: tuple[View, ...] = ()
    coloured: float = 0.0

    def spacing_of(self, box: Box) -> tuple[float, float] | None:
        """Height and width of a lesion's pixels in millimetres; None where they are not sure.

        Where regions are measured, that of the one region that holds the lesion: in none, or across
        two, there is no size to trust.
        """
        if not self.regions:
            return self.spacing
        holding = [region for region in self.regions if region.holds(box)]
        scales = {region.spacing for region in holding}
        return scales.pop() if len(scales) == 1 else None
