"""Published sets that are known by their layout: a new one is a file here and a line in `SETS`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from etils import epath

from busjax.data.readers.held import Row
from busjax.data.readers.sets import breast, bus_bra, bus_uclm, udiat


@dataclasses.dataclass(frozen=True)
class PublishedSet:
    """A set as it is published.

    Attributes:
        title: its name in print.
        is_folder: whether it lies in a folder.
        rows: reads what its table says of every image.
    """

    title: str
    is_folder: Callable[[epath.Path], bool]
    rows: Callable[[epath.Path], list[Row]]


SETS = {
    "bus_bra": PublishedSet("BUS-BRA", bus_bra.is_folder, bus_bra.rows),
    "breast": PublishedSet("BrEaST", breast.is_folder, breast.rows),
    "bus_uclm": PublishedSet("BUS-UCLM", bus_uclm.is_folder, bus_uclm.rows),
    "udiat": PublishedSet("UDIAT", udiat.is_folder, udiat.rows),
}


def recognised(directory: epath.Path) -> str | None:
    """The key in `SETS` of the set in a folder; None: it is none of them."""
    if not directory.is_dir():
        return None
    return next((key for key, one in SETS.items() if one.is_folder(directory)), None)
