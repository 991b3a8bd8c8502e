"""The networks that come with the package."""

from __future__ import annotations

import shutil
from pathlib import Path

from busjax.errors import UserError

FOLDER = Path(__file__).with_name("packages")


def names() -> list[str]:
    """Of all of them, in alphabetical order."""
    return sorted(path.parent.name for path in FOLDER.glob("*/model.json"))


def default() -> str:
    """The one that is used where none is named.

    Raises:
        UserError: this version comes with none.
    """
    found = names()
    if not found:
        raise UserError(
            "this busjax comes with no network: give one by --network, such as the folder of a run"
        )
    return found[0]


def unpack(name: str, folder: Path) -> None:
    """Copies a network to where results can be written beside it, unless it is there already."""
    if not (folder / "model.json").exists():
        shutil.copytree(FOLDER / name, folder, dirs_exist_ok=True)
