"""Hand-made lists of BUSI: which images to keep, and which belong together."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re

from etils import epath

from busjax.classes import CLASSES
from busjax.errors import UserError

_KEPT_COLUMNS = ["class", "id"]
_LETTER_COLUMNS = ["ID", "Filename", "Objection", "Annotation"]
_ID = re.compile(rf"({'|'.join(CLASSES)}) \(\d+\)")


@dataclasses.dataclass(frozen=True)
class Curation:
    """What a list says about the images.

    Attributes:
        keep: ids to use.
        groups: id -> name of its group (the id of the group's first image), for all ids of the
            list, kept or not; empty where the list knows no groups.
        known: all ids of which it says something; empty: it may leave some out.
    """

    keep: frozenset[str]
    groups: dict[str, str]
    known: frozenset[str] = frozenset()


def read_list(path: epath.Path) -> Curation:
    """Reads a curation list in either of its two published forms, or an audit.

    `class;id`: the images to keep, without groups; 'Curated BUSI' of Aumente-Maestro, Diez and
    Remeseiro, Computer Methods and Programs in Biomedicine 2025, 108540.

    `ID;Filename;Objection;Annotation`: one row a group, sets as {a&b}; the letter of Pawlowska,
    Karwat and Zolek, Data in Brief 48, 2023, 109247. The first image of each group is kept, a
    group with an objection is not.

    A JSON file of `busjax.data.audit`: the representative of each group is kept, but for groups
    that hold one image under two classes, and every image in no group that no one dropped.

    Raises:
        UserError: no such file, other columns, or a row that names no BUSI image.
    """
    if path.suffix == ".json":
        return _read_audit(path)
    rows = _read_rows(path)
    header = rows[0] if rows else []
    if header == _KEPT_COLUMNS:
        return _read_kept(path, rows[1:])
    if header == _LETTER_COLUMNS:
        return _read_letter(path, rows[1:])
    raise UserError(
        f"'{path}' is no curation list: its first line is '{';'.join(header)}',"
        f" expected '{';'.join(_KEPT_COLUMNS)}' or '{';'.join(_LETTER_COLUMNS)}'."
    )


def _read_audit(path: epath.Path) -> Curation:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        classes = dict(content["images"])
        members = [tuple(group["members"]) for group in content["groups"]]
        chosen = [group["representative"] for group in content["groups"]]
        dropped = set(content["overrides"]["dropped"])
        unusable = {epath.Path(file).stem for file, _ in content["unusable"]}
        groups = {id: ids[0] for ids in members for id in ids}
        sound = {
            best
            for best, ids in zip(chosen, members, strict=True)
            if len({classes[id] for id in ids}) == 1
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"'{path}' is no audit ({type(error).__name__}: {error}): give a file that "
            "busjax.data.audit wrote"
        ) from error
    alone = classes.keys() - groups.keys()
    groups |= {id: id for id in alone}
    keep = frozenset((sound | alone) - dropped)
    return Curation(keep, groups, known=frozenset(classes) | unusable)


def _read_rows(path: epath.Path) -> list[list[str]]:
    try:
        text = io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")
        rows = [[cell.strip() for cell in row] for row in csv.reader(text, delimiter=";")]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"The curation list '{path}' cannot be read: {error}") from error
    return [row for row in rows if any(row)]


def _read_kept(path: epath.Path, rows: list[list[str]]) -> Curation:
    ids = [f"{row[0]} ({row[1]})" if len(row) == 2 else ";".join(row) for row in rows]
    return Curation(keep=frozenset(_checked(path, ids)), groups={})


def _read_letter(path: epath.Path, rows: list[list[str]]) -> Curation:
    keep: set[str] = set()
    groups: dict[str, str] = {}
    for row in rows:
        if len(row) != len(_LETTER_COLUMNS):
            raise UserError(
                f"'{path}': expected {len(_LETTER_COLUMNS)} cells in '{';'.join(row)}'."
            )
        _, filenames, objection, _ = row
        members = _checked(path, filenames.strip("{}").split("&"))
        for member in members:
            if member in groups:
                raise UserError(f"'{path}' has '{member}' twice: an image belongs to one group.")
            groups[member] = members[0]
        if not objection:
            keep.add(members[0])
    return Curation(frozenset(keep), groups)


def _checked(path: epath.Path, ids: list[str]) -> list[str]:
    for id in ids:
        if not _ID.fullmatch(id):
            raise UserError(f"'{path}' has '{id}', which names no image such as 'benign (1)'.")
    return ids
