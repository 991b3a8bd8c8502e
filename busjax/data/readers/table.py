"""A folder of images and masks that a CSV lists, such as BUS-BRA's or a clinic's own -> records."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from etils import epath
from PIL import Image

from busjax.classes import CLASSES, NORMAL
from busjax.config import Table
from busjax.data.pixels import UNDECODABLE, decode, to_uint8
from busjax.data.records import Problem, Record, told
from busjax.errors import UserError, in_one_line

_PART = re.compile(r"\{([^{}|]*)(?:\|([^{}|]*)\|([^{}|]*))?\}")  # {COLUMN} or {COLUMN|old|new}


@dataclasses.dataclass(frozen=True)
class _Row:
    """One line of the table, its cells made into what they say."""

    id: str
    image: str
    mask: str
    label: int
    group: str


class TableSource:
    """The images of a table, decoded and checked once, held in memory as uint8.

    `config.data.table` says what its columns mean. A class without images is no error: its scores
    are undefined.

    Attributes:
        skipped: (line or file, reason) of all that was left out; empty with on_bad='error'.
    """

    name = "table"

    def __init__(self, directory: epath.Path, table: Table, on_bad: str) -> None:
        """Reads the table, and decodes and checks every image and mask.

        Args:
            directory: in which the table and the files that it names lie.
            table: `config.data.table`.
            on_bad: 'error' (what is bad raises) or 'skip' (it is left out and listed).

        Raises:
            UserError: no such table; a column, label or file that is missing; bad files (one
                message names them); not one usable image.
        """
        rows, self.skipped = _read_rows(directory / table.file, table)
        with warnings.catch_warnings(), ThreadPoolExecutor() as pool:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            results = list(pool.map(lambda row: _read(directory, row), rows))
        self._records = [each for each in results if isinstance(each, Record)]
        self.skipped += [each for each in results if not isinstance(each, Record)]
        if self.skipped and on_bad == "error":
            raise UserError(told(f"bad lines or files of '{directory / table.file}'", self.skipped))
        if not self._records:
            raise UserError(f"'{directory / table.file}' lists not one usable image")
        self.ids: tuple[str, ...] = tuple(record.id for record in self._records)
        self.labels: np.ndarray = np.array([record.label for record in self._records], np.int32)
        self.groups: tuple[str, ...] = tuple(record.group for record in self._records)
        self.description: str = self._describe(directory)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Record:
        return self._records[index]

    def _describe(self, directory: epath.Path) -> str:
        counts = np.bincount(self.labels, minlength=len(CLASSES))
        classes = ", ".join(f"{count} {name}" for count, name in zip(counts, CLASSES, strict=True))
        skipped = f"; left out: {len(self.skipped)}" if self.skipped else ""
        return (
            f"{directory.name}: {len(self)} images ({classes}) in {len(set(self.groups))} groups"
            f"{skipped}"
        )


def _read_rows(path: epath.Path, table: Table) -> tuple[list[_Row], list[Problem]]:
    """The lines that can be understood, and what is wrong with the others."""
    lines = _lines(path, table.delimiter)
    columns = set(lines[0]) if lines else set()
    labels = _labels(table.labels)
    wanted = {name for name in (table.label, table.group) if name}
    wanted |= {part[1] for text in (table.image, table.mask) for part in _PART.finditer(text)}
    if missing := wanted - columns:
        raise UserError(
            f"'{path}' has no column '{min(missing)}': it has {', '.join(sorted(columns))}; set "
            "config.data.table.image, mask, label and group to what it has"
        )
    rows: list[_Row] = []
    bad: list[Problem] = []
    seen: set[str] = set()
    for number, cells in enumerate(lines, 2):
        label = labels.get(cells[table.label])
        image = _filled(table.image, cells)
        if label is None:
            known = ", ".join(labels)
            bad.append((f"line {number}", f"the label '{cells[table.label]}' is none of {known}"))
        elif image in seen:
            bad.append((f"line {number}", f"'{image}' is listed twice"))
        else:
            seen.add(image)
            group = cells[table.group] if table.group else image
            rows.append(_Row(image, image, _filled(table.mask, cells), label, group or image))
    return rows, bad


def _lines(path: epath.Path, delimiter: str) -> list[dict[str, str]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        head, *lines = [[cell.strip() for cell in line] for line in reader if any(line)] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"the table '{path}' cannot be read: {error}") from error
    if len(set(head)) != len(head) or not lines:
        raise UserError(f"'{path}' must have a line of different column names, and lines below it")
    for number, line in enumerate(lines, 2):
        if len(line) != len(head):
            raise UserError(
                f"'{path}' line {number} has {len(line)} cells, the first line has {len(head)}: "
                "mend it, or set config.data.table.delimiter"
            )
    return [dict(zip(head, line, strict=True)) for line in lines]


def _labels(text: str) -> dict[str, int]:
    """'B=benign,M=malignant' -> the class of each label; the classes' own names always count."""
    labels = {name: index for index, name in enumerate(CLASSES)}
    for part in (part for part in text.split(",") if part):
        given, sign, name = part.partition("=")
        if not sign or name not in CLASSES:
            raise UserError(
                f"config.data.table.labels='{text}': expected LABEL=CLASS, joined by ',', with the "
                f"classes {', '.join(CLASSES)}"
            )
        labels[given] = CLASSES.index(name)
    return labels


def _filled(pattern: str, cells: dict[str, str]) -> str:
    """'Masks/{ID|bus|mask}.png' -> the path of one line: its cell, with a text exchanged."""

    def fill(part: re.Match[str]) -> str:
        text = cells[part[1]]
        return text.replace(part[2], part[3] or "") if part[2] else text

    return _PART.sub(fill, pattern)


def _read(directory: epath.Path, row: _Row) -> Record | Problem:
    """The record, or the file and what is wrong with it."""
    pixels = {}
    for name in filter(None, (row.image, "" if row.label == NORMAL else row.mask)):
        if ".." in epath.Path(name).parts or epath.Path(name).is_absolute():
            return name, "it lies outside of the folder"
        try:
            pixels[name] = decode((directory / name).read_bytes())
        except UNDECODABLE as error:
            reason = (
                "is missing" if isinstance(error, FileNotFoundError) else f"({in_one_line(error)})"
            )
            return name, f"cannot be decoded {reason}" if reason[0] == "(" else reason
    image = to_uint8(pixels[row.image])
    mask = np.zeros(image.shape, np.uint8)
    if row.label != NORMAL:
        if row.mask not in pixels:
            return row.image, "its mask is not named"
        if pixels[row.mask].shape != image.shape:
            return row.mask, f"the mask is {pixels[row.mask].shape}, its image {image.shape}"
        mask = (pixels[row.mask] > pixels[row.mask].max() / 2).astype(np.uint8)
        if not mask.any():
            return row.mask, "the mask is empty"
    return Record(row.id, image, mask, row.label, row.group)
