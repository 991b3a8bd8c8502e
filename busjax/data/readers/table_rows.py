"""The lines of a table -> what each says of an image; lines of one image are one."""

from __future__ import annotations

import collections
import csv
import dataclasses
import io
import os
import posixpath
import re
import unicodedata
from collections.abc import Sequence

from etils import epath

from busjax import files
from busjax.classes import CLASSES, NORMAL
from busjax.config import Table
from busjax.data.readers.held import Row
from busjax.data.records import Problem
from busjax.errors import UserError

_PART = re.compile(r"\{([^{}|]*)(?:\|([^{}|]*)\|([^{}|]*))?\}")  # {COLUMN} or {COLUMN|old|new}
_UNKNOWN = {"na", "n/a", "nan", "null", "none", "-", "--", "?", "unknown", "missing", "#n/a"}
_FEWEST = 2  # images of one such code, from which on it is told


@dataclasses.dataclass
class Rows:
    """The lines that can be understood, what is wrong with the others, and what is odd."""

    rows: list[Row] = dataclasses.field(default_factory=list)
    problems: list[Problem] = dataclasses.field(default_factory=list)
    doubts: list[Problem] = dataclasses.field(default_factory=list)


def read(directory: epath.Path, table: Table) -> Rows:
    """Reads a table.

    Args:
        directory: in which the table and its files lie.
        table: `config.data.table`.

    Raises:
        UserError: it cannot be read, or lacks a column.
    """
    path = directory / table.file
    lines = _lines(path, table.delimiter)
    _check_columns(path, lines, table)
    labels = _labels(table.labels)
    found = Rows()
    seen: dict[object, Row] = {}
    for number, cells in enumerate(lines, 2):
        label = labels.get(cells[table.label])
        given = _filled(table.image, cells)
        image = _spelt(directory, given)
        if label is None:
            known = ", ".join(labels)
            reason = f"the label '{cells[table.label]}' is none of {known}"
        elif image is None:
            reason = f"'{given}' lies outside of the folder"
        else:
            mask = _filled(table.mask, cells) if label != NORMAL else ""
            row = Row(image, [mask] if mask else [], label, _group(table, cells, image))
            reason = _add(found, seen, _file(directory / image), row)
        if reason:
            found.problems.append((f"line {number}", reason))
    _place_masks(directory, found)
    found.doubts += _unknown_groups(found.rows, table.group)
    return found


def _add(found: Rows, seen: dict[object, Row], file: object, row: Row) -> str:
    """Adds what a line says; returns why it cannot be, or ''."""
    earlier = seen.setdefault(file, row)
    if earlier is row:
        found.rows.append(row)
        return ""
    spelling = "" if earlier.image == row.image else f", as '{earlier.image}'"
    if (earlier.label, earlier.group) != (row.label, row.group):
        if earlier.label == row.label and {earlier.group, row.group} == {earlier.image, row.image}:
            row.group = earlier.group  # each is named by the image, spelt in two ways
        else:
            return f"'{row.image}' is listed twice{spelling}, with another class or group"
    if not row.masks or row.masks[0] in earlier.masks:
        return f"'{row.image}' is listed twice{spelling}"
    earlier.masks += row.masks  # several lesions, each in a line of its own
    return ""


def _place_masks(directory: epath.Path, found: Rows) -> None:
    """Brings the masks into one spelling; images whose masks lie elsewhere are bad."""
    for row in list(found.rows):
        placed = {mask: _spelt(directory, mask) for mask in row.masks}
        if outside := [mask for mask, path in placed.items() if path is None]:
            found.rows.remove(row)
            found.problems.append((outside[0], "it lies outside of the folder"))
        row.masks = [path for path in placed.values() if path is not None]


def _spelt(directory: epath.Path, path: str) -> str | None:
    """A path of the table in its shortest spelling; None where it leaves the folder.

    Windows writes a backslash between its parts, which is a letter of a name elsewhere; and an
    umlaut is one letter here, a letter and its dots there.
    """
    others = [path.replace("\\", "/")]
    others += [unicodedata.normalize(form, others[0]) for form in ("NFC", "NFD")]
    if path and not _is_there(directory / path):
        path = next((other for other in others if _is_there(directory / other)), others[0])
    short = posixpath.normpath(path) if path else path
    if short.startswith(("/", "../")) or short == ".." or re.match(r"[A-Za-z]:/", short):
        return None
    return short


def _is_there(path: epath.Path) -> bool:
    try:
        return path.exists()
    except OSError:  # too long to be one
        return False


def _file(path: epath.Path) -> object:
    """What is equal for one file, however it is spelt."""
    if not files.is_remote(path):
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return str(path)
        return status.st_dev, status.st_ino
    return str(path)


def _group(table: Table, cells: dict[str, str], image: str) -> str:
    return (cells[table.group] if table.group else "") or image


def _unknown_groups(rows: Sequence[Row], column: str) -> list[Problem]:
    """Codes that say 'not known', but hold their images together as if they were one patient."""
    counts = collections.Counter(row.group for row in rows) if column else collections.Counter()
    return [
        (
            f"column {column}",
            f"'{code}' stands for {count} images, which are one group: where the patient is not "
            "known leave the cell empty, and each image is a group of its own",
        )
        for code, count in counts.items()
        if count >= _FEWEST and code.lower() in _UNKNOWN
    ]


def _check_columns(path: epath.Path, lines: Sequence[dict[str, str]], table: Table) -> None:
    columns = set(lines[0]) if lines else set()
    wanted = {name for name in (table.label, table.group) if name}
    wanted |= {part[1] for text in (table.image, table.mask) for part in _PART.finditer(text)}
    if missing := wanted - columns:
        raise UserError(
            f"'{path}' has no column '{min(missing)}': it has {', '.join(sorted(columns))}; set "
            "config.data.table.image, mask, label and group to what it has"
        )


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
        if any("\0" in cell for cell in line):
            raise UserError(f"'{path}' line {number} holds a zero byte: save it as text in UTF-8")
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
