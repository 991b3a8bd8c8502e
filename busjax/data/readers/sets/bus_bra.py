"""BUS-BRA: 1,875 images of 1,064 cases, four scanners, no normal image.

Gomez-Flores, Gregorio-Calas and Pereira, BUS-BRA: A breast ultrasound dataset for assessing
computer-aided diagnosis systems, Medical Physics 51, 2024, doi:10.1002/mp.16812.
"""

from __future__ import annotations

from etils import epath

from busjax.classes import CLASSES
from busjax.data.readers.held import Row
from busjax.data.readers.sets import sheet

TABLE = "bus_data.csv"
_COLUMNS = ("ID", "Case", "Pathology", "Device")


def is_folder(directory: epath.Path) -> bool:
    """Whether the set lies there as it is published."""
    return (directory / TABLE).exists() and (directory / "Images").is_dir()


def rows(directory: epath.Path) -> list[Row]:
    """A row an image; two views of a lesion are one case.

    Raises:
        UserError: the table is not as it is published.
    """
    return [
        Row(
            f"Images/{cells['ID']}.png",
            [f"Masks/{cells['ID'].replace('bus_', 'mask_')}.png"],
            CLASSES.index(cells["Pathology"].lower()),
            cells["Case"],
            cells["Device"],
        )
        for cells in sheet.read(directory / TABLE, _COLUMNS)
    ]
