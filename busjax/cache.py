"""The folder of what is slow to make and can be made again: compiled programs, phantoms.

`BUSJAX_CACHE` moves it from where the system keeps such files; set but empty, it turns it off.
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
import time
from pathlib import Path

import platformdirs

VARIABLE = "BUSJAX_CACHE"
_DAYS_UNUSED = 60  # after which what an earlier version kept is removed


def root() -> Path | None:
    """The folder of all kinds, whether it is there or not; None: nothing is kept."""
    given = os.environ.get(VARIABLE)
    if given == "":
        return None
    return Path(given).expanduser() if given else platformdirs.user_cache_path("busjax")


@functools.cache
def folder(kind: str, version: str) -> Path | None:
    """The folder for things of a kind, made by what `version` names; None: nothing is kept.

    Folders of other versions go once they have not been used for two months. Where the folder
    cannot be written to, one line says so.
    """
    if (whole := root()) is None:
        return None
    path = whole / kind / version
    try:
        path.mkdir(parents=True, exist_ok=True)
        os.utime(path)
        for other in path.parent.iterdir():
            if time.time() - other.stat().st_mtime > _DAYS_UNUSED * 86_400:
                shutil.rmtree(other, ignore_errors=True)
    except OSError as error:
        print(
            f"busjax: nothing is kept in {path} ({error.strerror}): set {VARIABLE} to a folder "
            "that can be written to, or to nothing",
            file=sys.stderr,
        )
        return None
    return path


def prune(path: Path, pattern: str, largest: int) -> None:
    """Removes the files that were written first, until those of the pattern fit `largest` bytes."""
    kept = []
    for file in path.glob(pattern):
        try:
            status = file.stat()
        except FileNotFoundError:  # another process prunes as well
            continue
        kept.append((status.st_mtime, status.st_size, file))
    total = sum(size for _, size, _ in kept)
    for _, size, file in sorted(kept):
        if total <= largest:
            return
        file.unlink(missing_ok=True)
        total -= size
