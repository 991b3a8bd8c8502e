"""A published set -> records, with patients and scanners where the set tells them."""

from __future__ import annotations

from etils import epath

from busjax.data.readers.held import HeldSource, check_rows
from busjax.data.readers.sets import SETS
from busjax.errors import UserError


class PublishedSource(HeldSource):
    """The images of a published set, decoded and checked once, held in memory as uint8.

    Attributes:
        scanners: of every record, '' where it is not told.
    """

    def __init__(self, key: str, directory: epath.Path, on_bad: str, grey_range: str = "") -> None:
        """Reads, decodes and checks every image and mask.

        Args:
            key: of the set, in `sets.SETS`.
            directory: in which it lies as it is published.
            on_bad: 'error' (a bad file raises) or 'skip' (it is left out and listed).
            grey_range: `config.data.grey_range`.

        Raises:
            UserError: the folder is not as it is published; bad files (one message names them).
        """
        known = SETS[key]
        if not known.is_folder(directory):
            raise UserError(f"'{directory}' is not {known.title} as it is published")
        try:
            rows = known.rows(directory)
        except ValueError as error:  # a class of another name
            raise UserError(
                f"the table of '{directory}' is not as {known.title}'s: {error}"
            ) from error
        images = check_rows(directory, rows, grey_range)
        super().__init__(images, [], [], on_bad, f"'{directory}'")
        self.name = key
        by_image = {row.image: row.scanner for row in rows}
        self.scanners: tuple[str, ...] = tuple(by_image[id] for id in self.ids)
        skipped = f"; left out: {len(self.skipped)}" if self.skipped else ""
        groups = f"in {len(set(self.groups))} groups"
        self.description = f"{known.title}: {self.counted()} {groups}{skipped}"
