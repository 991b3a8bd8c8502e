"""Checksums of a folder's files: they tell a whole checkpoint from a damaged one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from etils import epath

from busjax import files

FILE = "checksums.json"

_CHUNK = 2**22  # bytes that are read at a time


def write(folder: epath.Path, but: str = "") -> None:
    """Leaves the SHA-256 of every file of a folder, subfolders included, in `FILE`.

    Args:
        folder: whose files are there.
        but: name of a file in it that is still to change.
    """
    digests = {name: _sha256(path) for name, path in sorted(_walk(folder)) if name != but}
    files.replace(folder / FILE, (json.dumps({"sha256": digests}, indent=1) + "\n").encode())


def exist(folder: epath.Path) -> bool:
    """Whether the folder has been given checksums."""
    return (folder / FILE).exists()


def damage(folder: epath.Path) -> str | None:
    """What is wrong with a folder, in words; None: every file is as it was written.

    A file that was not there when the checksums were written does not count.
    """
    if not exist(folder):
        return f"it has no {FILE}: it was not written to its end"
    try:
        expected = json.loads((folder / FILE).read_text())["sha256"]
        expected = {str(name): str(digest) for name, digest in expected.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return f"its {FILE} cannot be read"
    present = dict(_walk(folder))
    for name, digest in expected.items():
        if name not in present:
            return f"{name} is missing"
        try:
            same = _sha256(present[name]) == digest
        except OSError as error:
            return f"{name} cannot be read ({error.strerror or error})"
        if not same:
            return f"{name} is not as it was written"
    return None


def _walk(folder: epath.Path, prefix: str = "") -> Iterator[tuple[str, epath.Path]]:
    """Every file below a folder but the checksums, by its path from there."""
    for path in folder.iterdir():
        name = prefix + path.name
        if path.is_dir():
            yield from _walk(path, f"{name}/")
        elif name != FILE:
            yield name, path


def _sha256(path: epath.Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
