"""What the readers of folders have in common: records decoded and checked once, held in memory."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from etils import epath
from PIL import Image

from busjax import files
from busjax.classes import CLASSES, NORMAL
from busjax.data import masks, pictures
from busjax.data.pixels import Range, parse_range
from busjax.data.records import Problem, Record, listed, told
from busjax.errors import UserError

_Entry = TypeVar("_Entry")

NOTHING = np.zeros((1, 1), np.uint8)
"""The pixels of a record whose files are not read yet."""


@dataclasses.dataclass
class Checked:
    """What came of the files of one image.

    Attributes:
        record: the image; None where something is wrong.
        path: of its picture.
        problems: (file, reason): why it cannot be used.
        doubts: (file, reason): what a person should look at; it is used all the same.
    """

    record: Record | None
    path: epath.Path
    problems: list[Problem] = dataclasses.field(default_factory=list)
    doubts: list[Problem] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Row:
    """What the table says of one image.

    Attributes:
        image: path in the folder, '/' between its parts.
        masks: likewise, of several lines all.
        label: index into `CLASSES`.
        group: of the patient or case; the image itself where the table knows none.
        scanner: '' where it is not told.
    """

    image: str
    masks: list[str]
    label: int
    group: str
    scanner: str = ""


class HeldSource:
    """The records of a folder.

    Attributes:
        paths: the file of each picture.
        skipped: (file or line, reason) of all that was left out; empty with on_bad='error'.
        remarks: lines for a person: what was left out, and what is odd.
    """

    name: str
    description: str

    def __init__(
        self,
        images: Sequence[Checked],
        problems: Sequence[Problem],
        doubts: Sequence[Problem],
        on_bad: str,
        where: str,
    ) -> None:
        """Keeps what is sound.

        Args:
            images: all of the folder.
            problems: that come before the files are opened.
            doubts: likewise.
            on_bad: 'error' (what is bad raises) or 'skip' (it is left out and listed).
            where: the folder or table, as messages name it.

        Raises:
            UserError: bad files (one message names them); not one usable image.
        """
        self.skipped = [*problems, *(each for image in images for each in image.problems)]
        if self.skipped and on_bad == "error":
            raise UserError(told(f"bad files in {where}", self.skipped))
        sound = [image for image in images if image.record is not None]
        self._records = [image.record for image in sound if image.record is not None]
        if not self._records:
            raise UserError(f"not one usable image in {where}")
        self.paths: tuple[epath.Path, ...] = tuple(image.path for image in sound)
        odd = [*doubts, *(each for image in sound for each in image.doubts)]
        self.remarks: tuple[str, ...] = (*listed("left out", self.skipped), *listed("look at", odd))
        self.ids: tuple[str, ...] = tuple(record.id for record in self._records)
        self.labels: np.ndarray = np.array([record.label for record in self._records], np.int32)
        self.groups: tuple[str, ...] = tuple(record.group for record in self._records)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Record:
        return self._records[index]

    def counted(self) -> str:
        """How many images there are, of each class, in words."""
        counts = np.bincount(self.labels, minlength=len(CLASSES))
        classes = ", ".join(f"{count} {name}" for count, name in zip(counts, CLASSES, strict=True))
        return f"{len(self)} images ({classes})"


def check_rows(directory: epath.Path, rows: Sequence[Row], grey_range: str) -> list[Checked]:
    """Reads the files of every row.

    Args:
        directory: in which they lie.
        rows: one an image; its path is its id.
        grey_range: `config.data.grey_range`.
    """
    ends = parse_range(grey_range)

    def read(row: Row) -> Checked:
        about = Record(row.image, NOTHING, NOTHING, row.label, row.group)
        masks_of = [directory / mask for mask in row.masks]
        return check(directory, about, directory / row.image, masks_of, ends)

    return in_threads(read, rows)


def in_threads(read: Callable[[_Entry], Checked], entries: Iterable[_Entry]) -> list[Checked]:
    """Reads the files of all images, in order."""
    # Pillow only warns of images up to twice its limit; here each of them is a bad file.
    with warnings.catch_warnings(), ThreadPoolExecutor() as pool:
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return list(pool.map(read, entries))


def check(
    root: epath.Path,
    about: Record,
    image: epath.Path,
    of_mask: Sequence[epath.Path],
    grey_range: Range | None,
) -> Checked:
    """Decodes a picture and its masks, whose union is its mask, and compares them.

    Args:
        root: of the folder, from which files are named.
        about: id, label and group; its pixels are replaced.
        image: the file of the picture.
        of_mask: those of the masks.
        grey_range: see `pixels.to_uint8`.
    """
    found = Checked(None, image)

    def named(path: epath.Path) -> str:
        return files.shown(path.relative_to(root))

    def bad(path: epath.Path, reason: str) -> None:
        found.problems.append((named(path), reason))

    levels, mask = None, None
    for path in (image, *of_mask):
        try:
            content = path.read_bytes()
            if path == image:
                levels = pictures.decode(content, grey_range)
                continue
            inside = masks.decode(content)
        except (pictures.Undecodable, OSError) as error:
            missing = isinstance(error, FileNotFoundError)
            bad(path, "it is missing" if missing else pictures.reason(error))
            continue
        if levels is not None and inside.shape != levels.shape:
            bad(path, f"the mask is {_size(inside)}, its image {_size(levels)}")
        elif mask is None or mask.shape == inside.shape:
            mask = inside if mask is None else mask | inside
    if levels is None or found.problems:
        return found
    mask = np.zeros(levels.shape, bool) if mask is None else mask
    if reason := _contradiction(about.label, len(of_mask), bool(mask.any())):
        bad(image, reason)
        return found
    if odd := masks.doubt(mask):
        found.doubts.append((named(of_mask[0]), odd))
    found.record = dataclasses.replace(about, image=levels, mask=mask.astype(np.uint8))
    return found


def _contradiction(label: int, n_masks: int, has_lesion: bool) -> str | None:
    """Says how the class and the masks contradict each other, if they do."""
    if label == NORMAL:
        return "the class is normal, but the mask is not empty" if has_lesion else None
    if not n_masks:
        return "its mask is missing"
    return None if has_lesion else "its mask is empty"


def _size(pixels: np.ndarray) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]}"
