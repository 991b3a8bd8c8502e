"""The networks that come with the package."""

from __future__ import annotations

import shutil
from pathlib import Path

from busjax.errors import UserError

FOLDER = Path(__file__).with_name("packages")
_FILE = "model.json"


def names() -> list[str]:
    """Of all of them, in alphabetical order."""
    return sorted(path.parent.name for path in FOLDER.glob(f"*/{_FILE}"))


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
    """Copies a network to where results can be written beside it, unless it is there already.

    Raises:
        UserError: the folder holds something else, such as a run, or another network.
    """
    own, there = FOLDER / name / _FILE, folder / _FILE
    if there.exists() and there.read_bytes() == own.read_bytes():
        return
    if folder.exists() and any(folder.iterdir()):
        raise UserError(
            f"{folder} holds something else than the packaged network '{name}': move it away, or "
            f"use a copy of the network (busjax export --network={name} --format=folder)"
        )
    shutil.copytree(FOLDER / name, folder, dirs_exist_ok=True)
