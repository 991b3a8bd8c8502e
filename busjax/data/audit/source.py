"""The folder that is audited: its images as records, and which files hold colours."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from busjax.data.audit.objections import has_colour
from busjax.data.busi import BusiSource, find_folder
from busjax.data.pixels import UNDECODABLE
from busjax.files import PathLike


class Folder:
    """A BUSI folder; files that cannot be used are listed, in `source.skipped`.

    Raises:
        UserError: no BUSI folder, or not one usable image in it.
    """

    def __init__(self, directory: PathLike) -> None:
        self._root = find_folder(directory)
        self.source = BusiSource(directory, on_bad="skip")

    def coloured(self) -> set[str]:
        """The ids of the images whose files hold more than grey."""

        def is_coloured(id: str) -> bool:
            path = self._root / id.partition(" ")[0] / f"{id}.png"
            try:
                with Image.open(io.BytesIO(path.read_bytes())) as image:
                    return has_colour(np.asarray(image.convert("RGB")))
            except UNDECODABLE:  # written '.PNG', say: it was read as grey at least
                return False

        with ThreadPoolExecutor() as pool:
            found = list(pool.map(is_coloured, self.source.ids))
        return {id for id, holds in zip(self.source.ids, found, strict=True) if holds}
