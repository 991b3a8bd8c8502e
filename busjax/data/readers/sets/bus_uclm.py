"""BUS-UCLM: 683 images of 38 patients, 419 of them normal; masks are green and red.

Vallez et al., BUS-UCLM: breast ultrasound lesion segmentation dataset, Scientific Data 12, 2025,
doi:10.1038/s41597-025-04562-3.
"""

from __future__ import annotations

from etils import epath

from busjax.classes import CLASSES, NORMAL
from busjax.data.readers.held import Row
from busjax.data.readers.sets import sheet

TABLE = "INFO.csv"
_COLUMNS = ("Image", "Label")
_SCANNER = "Siemens ACUSON S2000"


def is_folder(directory: epath.Path) -> bool:
    """Whether the set lies there as it is published."""
    parts = (directory / "images", directory / "masks")
    return (directory / TABLE).exists() and all(part.is_dir() for part in parts)


def rows(directory: epath.Path) -> list[Row]:
    """A row an image; the letters before its number are the patient.

    Raises:
        UserError: the table is not as it is published.
    """
    found = []
    for cells in sheet.read(directory / TABLE, _COLUMNS, ";"):
        name = cells["Image"]
        label = CLASSES.index(cells["Label"].lower())
        masks = [] if label == NORMAL else [f"masks/{name}"]
        found.append(Row(f"images/{name}", masks, label, name.rpartition("_")[0], _SCANNER))
    return found
