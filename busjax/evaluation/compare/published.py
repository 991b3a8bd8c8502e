"""Scores of others, from a small table, to stand beside ours and be marked as theirs."""

from __future__ import annotations

import csv
import dataclasses
import io
import math

from etils import epath

from busjax.config import SCORES
from busjax.errors import UserError
from busjax.files import PathLike

_TEXTS = ("name", "source", "protocol")


@dataclasses.dataclass(frozen=True)
class Published:
    """One row of somebody else's table.

    Attributes:
        name: of the method.
        source: the publication.
        protocol: on which images, and how, it was tested.
        scores: by the names of `metrics.summary.summarise`.
        sd: their standard deviations over folds, where they are told.
    """

    name: str
    source: str
    protocol: str
    scores: dict[str, float]
    sd: dict[str, float]


def read(path: PathLike) -> list[Published]:
    """Reads a CSV with the columns name, source, protocol, and scores such as dice_average.

    A column dice_average_sd holds the standard deviation of dice_average; a cell may be empty.

    Raises:
        UserError: no such file; a column that is missing or unknown; a score outside [0, 1].
    """
    try:
        text = epath.Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"published scores '{path}' cannot be read: {error}") from error
    table = csv.DictReader(io.StringIO(text, newline=""))
    columns = list(table.fieldnames or ())
    known = {*_TEXTS, *SCORES, *(f"{score}_sd" for score in SCORES)}
    if set(_TEXTS) - set(columns) or (unknown := [name for name in columns if name not in known]):
        wrong = f"; '{unknown[0]}' is none of them" if not set(_TEXTS) - set(columns) else ""
        raise UserError(
            f"'{path}': its first line must name the columns {', '.join(_TEXTS)} and scores such "
            f"as dice_average, dice_average_sd{wrong}"
        )
    return [_row(path, number, cells) for number, cells in enumerate(table, 2)]


def _row(path: PathLike, line: int, cells: dict[str, str]) -> Published:
    numbers: dict[str, float] = {}
    if None in cells or None in cells.values():
        raise UserError(f"'{path}' line {line}: it has not as many cells as the first line")
    for column, cell in cells.items():
        if column in _TEXTS or not cell.strip():
            continue
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not 0 <= value <= 1:
            raise UserError(f"'{path}' line {line}: {column} is '{cell}', not a number in [0, 1]")
        numbers[column] = value
    return Published(
        name=cells["name"],
        source=cells["source"],
        protocol=cells["protocol"],
        scores={name: value for name, value in numbers.items() if not name.endswith("_sd")},
        sd={name[:-3]: value for name, value in numbers.items() if name.endswith("_sd")},
    )
