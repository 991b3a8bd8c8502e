"""The lines of a published table, CSV or Excel, as texts by the name of their column."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence

from etils import epath

from busjax.errors import UserError


def read(path: epath.Path, columns: Sequence[str], delimiter: str = ",") -> list[dict[str, str]]:
    """Reads a table; of a workbook the first sheet that has the columns.

    Args:
        path: a .csv or .xlsx file.
        columns: that it must have; upper and lower case are one.
        delimiter: between two cells of a CSV.

    Raises:
        UserError: it cannot be read, or lacks a column.
    """
    try:
        if path.suffix.lower() == ".xlsx":
            sheets = _workbook(path.read_bytes())
        else:
            text = path.read_bytes().decode("utf-8-sig")
            sheets = [list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))]
    except (OSError, UnicodeDecodeError, csv.Error, zipfile.BadZipFile, KeyError) as error:
        raise UserError(f"the table '{path}' cannot be read: {error}") from error
    names = {column.casefold(): column for column in columns}
    for lines in sheets:
        filled = [line for line in lines if any(line)]
        head = [cell.strip().casefold() for cell in filled[0]] if filled else []
        if set(names) <= set(head):
            places = {name: head.index(key) for key, name in names.items()}
            return [_cells(line, places) for line in filled[1:]]
    raise UserError(f"'{path}' is not as it is published: it lacks columns of {', '.join(columns)}")


def _cells(line: Sequence[str], places: dict[str, int]) -> dict[str, str]:
    """A shorter line lacks its last cells."""
    return {
        name: line[place].strip() if place < len(line) else "" for name, place in places.items()
    }


def _workbook(content: bytes) -> list[list[list[str]]]:
    import openpyxl  # which few need

    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    return [
        [["" if cell is None else str(cell) for cell in line] for line in sheet.values]
        for sheet in book.worksheets
    ]
