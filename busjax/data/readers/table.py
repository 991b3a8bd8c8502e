"""A folder of images and masks that a CSV lists, such as BUS-BRA's or a clinic's own -> records."""

from __future__ import annotations

from etils import epath

from busjax.config import Table
from busjax.data.readers import table_rows
from busjax.data.readers.held import HeldSource, check_rows


class TableSource(HeldSource):
    """The images of a table, decoded and checked once, held in memory as uint8.

    `config.data.table` says what its columns mean. Several lines of one image, each with a mask of
    its own, are one image with the union of the masks. A class without images is no error: its
    scores are undefined.
    """

    name = "table"

    def __init__(
        self, directory: epath.Path, table: Table, on_bad: str, grey_range: str = ""
    ) -> None:
        """Reads the table, and decodes and checks every image and mask.

        Args:
            directory: in which the table and the files that it names lie.
            table: `config.data.table`.
            on_bad: 'error' (what is bad raises) or 'skip' (it is left out and listed).
            grey_range: `config.data.grey_range`.

        Raises:
            UserError: no such table; a column, label or file that is missing; bad files (one
                message names them); not one usable image.
        """
        found = table_rows.read(directory, table)
        images = check_rows(directory, found.rows, grey_range)
        where = f"'{directory / table.file}'"
        super().__init__(images, found.problems, found.doubts, on_bad, where)
        skipped = f"; left out: {len(self.skipped)}" if self.skipped else ""
        groups = f"in {len(set(self.groups))} groups"
        self.description = f"{directory.name}: {self.counted()} {groups}{skipped}"
