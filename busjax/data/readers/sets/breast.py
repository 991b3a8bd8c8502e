"""BrEaST (Breast-Lesions-USG): 256 images of 256 patients, benign, malignant and four normal.

Pawlowska et al., Curated benchmark dataset for ultrasound based breast lesion analysis, Scientific
Data 11, 2024, doi:10.1038/s41597-024-02984-z.
"""

from __future__ import annotations

from etils import epath

from busjax.classes import CLASSES, NORMAL
from busjax.data.readers.held import Row
from busjax.data.readers.sets import sheet

IMAGES = "BrEaST-Lesions_USG-images_and_masks"
_COLUMNS = ("CaseID", "Image_filename", "Mask_tumor_filename", "Classification")


def is_folder(directory: epath.Path) -> bool:
    """Whether the set lies there as it is published."""
    return bool(_tables(directory)) and _images(directory) is not None


def rows(directory: epath.Path) -> list[Row]:
    """A row an image, with the mask of every tumour; masks of other findings are left alone.

    Raises:
        UserError: the table is not as it is published.
    """
    images = _images(directory)
    place = images.relative_to(directory).as_posix() + "/" if images else ""
    place = "" if place == "./" else place
    found = []
    for cells in sheet.read(_tables(directory)[0], _COLUMNS):
        label = CLASSES.index(cells["Classification"].lower())
        masks = [name.strip() for name in cells["Mask_tumor_filename"].split("&") if name.strip()]
        found.append(
            Row(
                place + cells["Image_filename"],
                [] if label == NORMAL else [place + name for name in masks],
                label,
                f"case {cells['CaseID'].removesuffix('.0')}",
            )
        )
    return found


def _tables(directory: epath.Path) -> list[epath.Path]:
    name = "BrEaST-Lesions-USG*"
    return sorted((*directory.glob(f"{name}.xlsx"), *directory.glob(f"{name}.csv")))


def _images(directory: epath.Path) -> epath.Path | None:
    """The folder of the images: of its published name, or the set's own."""
    for folder in (directory / IMAGES, directory):
        if any(folder.glob("case*_tumor.png")):
            return folder
    return None
