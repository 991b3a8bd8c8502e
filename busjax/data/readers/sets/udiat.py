"""UDIAT (Dataset B): 163 images, one a patient, 110 benign and 53 malignant.

Yap et al., Automated breast ultrasound lesions detection using convolutional neural networks, IEEE
Journal of Biomedical and Health Informatics 22, 2018, doi:10.1109/JBHI.2017.2731873.
"""

from __future__ import annotations

from etils import epath

from busjax.classes import CLASSES
from busjax.data.readers.held import Row
from busjax.data.readers.sets import sheet

_COLUMNS = ("Image", "Type")
_SCANNER = "Siemens ACUSON Sequoia C512"


def is_folder(directory: epath.Path) -> bool:
    """Whether the set lies there as it is published."""
    parts = (directory / "original", directory / "GT")
    return bool(_tables(directory)) and all(part.is_dir() for part in parts)


def rows(directory: epath.Path) -> list[Row]:
    """A row an image.

    Raises:
        UserError: the table is not as it is published.
    """
    found = []
    for cells in sheet.read(_tables(directory)[0], _COLUMNS):
        number = cells["Image"].removesuffix(".png").removesuffix(".0").zfill(6)
        label = CLASSES.index(cells["Type"].lower())
        found.append(Row(f"original/{number}.png", [f"GT/{number}.png"], label, number, _SCANNER))
    return found


def _tables(directory: epath.Path) -> list[epath.Path]:
    return sorted((*directory.glob("DatasetB.xlsx"), *directory.glob("DatasetB.csv")))
