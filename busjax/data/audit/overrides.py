"""What a person has decided: a small CSV that a second audit respects."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Collection

from etils import epath

from busjax.errors import UserError
from busjax.files import PathLike

_COLUMNS = ["action", "one", "other"]
_HOW = (
    "expected a first line 'action,one,other', then lines such as 'join,benign (1),benign (9)', "
    "'part,benign (2),benign (3)' or 'drop,benign (7),'"
)


@dataclasses.dataclass(frozen=True)
class Overrides:
    """A person's decisions.

    Attributes:
        joined: pairs of ids that are one image, whatever was found.
        parted: pairs of ids that must not come into one group.
        dropped: ids that are not to be used.
    """

    joined: tuple[tuple[str, str], ...] = ()
    parted: tuple[tuple[str, str], ...] = ()
    dropped: tuple[str, ...] = ()


def read(path: PathLike, ids: Collection[str]) -> Overrides:
    """Reads overrides for images of these ids.

    Raises:
        UserError: no such file, other columns, an unknown action or id, one image twice in a line,
            or a pair that is both joined and parted.
    """
    decisions: dict[str, list[tuple[str, ...]]] = {"join": [], "part": [], "drop": []}
    for number, row in enumerate(_rows(path), 2):
        action, names = row[0], tuple(cell for cell in row[1:] if cell)
        wanted = 1 if action == "drop" else 2
        if action not in decisions or len(set(names)) != wanted or len(names) != wanted:
            raise UserError(f"'{path}' line {number} is '{','.join(row)}': {_HOW}")
        if unknown := [name for name in names if name not in ids]:
            raise UserError(f"'{path}' line {number}: there is no image '{unknown[0]}'")
        decisions[action].append(tuple(sorted(names)))
    if both := set(decisions["join"]) & set(decisions["part"]):
        raise UserError(f"'{path}' both joins and parts {' and '.join(min(both))}: keep one line")
    return Overrides(
        joined=tuple((one, other) for one, other in decisions["join"]),
        parted=tuple((one, other) for one, other in decisions["part"]),
        dropped=tuple(name for (name,) in decisions["drop"]),
    )


def _rows(path: PathLike) -> list[list[str]]:
    try:
        text = epath.Path(path).read_bytes().decode("utf-8-sig")
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""))]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"the overrides '{path}' cannot be read: {error}") from error
    if not rows or rows[0] != _COLUMNS:
        raise UserError(f"'{path}': {_HOW}")
    return [row for row in rows[1:] if any(row)]
