"""The folder that is audited: its images as records, and which files hold colours."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from etils import epath
from PIL import Image

from busjax.config import Table
from busjax.data.audit.objections import has_colour
from busjax.data.readers.busi import BusiSource
from busjax.data.readers.table import TableSource
from busjax.files import PathLike


class Folder:
    """A folder of images; those that cannot be used are listed, in `source.skipped`.

    Attributes:
        source: its records.
    """

    def __init__(
        self, directory: PathLike, table: Table | None = None, grey_range: str = ""
    ) -> None:
        """Opens a BUSI folder, or the images of a table in it.

        Args:
            directory: the folder.
            table: `config.data.table`; None: it is a BUSI folder.
            grey_range: `config.data.grey_range`.

        Raises:
            UserError: no such folder or table, or not one usable image in it.
        """
        self.source: BusiSource | TableSource
        if table is None:
            self.source = BusiSource(directory, "skip", grey_range=grey_range)
        else:
            self.source = TableSource(epath.Path(directory), table, "skip", grey_range)

    def coloured(self) -> set[str]:
        """The ids of the images whose files hold more than grey."""
        with ThreadPoolExecutor() as pool:
            are_coloured = list(pool.map(_is_coloured, self.source.paths))
        return {id for id, holds in zip(self.source.ids, are_coloured, strict=True) if holds}


def _is_coloured(path: epath.Path) -> bool:
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        return has_colour(np.asarray(image.convert("RGB")))
