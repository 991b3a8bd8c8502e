"""Tables of texts, which are written as HTML or Markdown."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple


@dataclasses.dataclass(frozen=True)
class Table:
    """Scores, a row a network, class or set.

    Attributes:
        title: above it.
        note: how to read it; '' where there is nothing to say.
        head: names of the columns, the first that of the rows.
        rows: a name and cells; a cell is a number and what stands small beside it.
        marked: indices of rows that differ in kind from the others.
        mark: their kind, a class of `style.css`.
    """

    title: str
    note: str
    head: tuple[str, ...]
    rows: list[tuple[str, list[tuple[str, str]]]]
    marked: frozenset[int] = frozenset()
    mark: str = "theirs"


class Cell(NamedTuple):
    """A cell of a list.

    Attributes:
        text: what it says.
        link: where it leads; '' nowhere.
        mark: a class of `style.css`; '' none.
    """

    text: str
    link: str = ""
    mark: str = ""


@dataclasses.dataclass(frozen=True)
class Listing:
    """A long table, a row an image or a finding, that a reader can sort and filter.

    Attributes:
        title: above it.
        note: how to read it.
        head: names of the columns.
        rows: cells in the order of the columns.
        choices: columns of few different texts, by which a reader may choose rows.
    """

    title: str
    note: str
    head: tuple[str, ...]
    rows: list[list[Cell]]
    choices: tuple[str, ...] = ()

    def values(self, column: str) -> list[str]:
        """The different texts of a column, in alphabetical order."""
        place = self.head.index(column)
        return sorted({row[place].text for row in self.rows})


def markdown(table: Table) -> str:
    """The table as Markdown, with its title and note."""
    lines = [f"### {table.title}", "", table.note, ""]
    lines += [_line(table.head), _line(["---"] * len(table.head))]
    lines += [
        _line([name, *(f"{text} {small}".strip() for text, small in cells)])
        for name, cells in table.rows
    ]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
