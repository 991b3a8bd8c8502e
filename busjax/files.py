"""Files of runs and data, on a disk or in a bucket (gs://): all are reached through epath."""

from __future__ import annotations

import os
import tempfile

from etils import epath

from busjax.errors import UserError

PathLike = str | os.PathLike[str]


def locate(given: PathLike, base: PathLike = "") -> epath.Path:
    """Returns the path that a user has given: '~' is home, a relative one starts at `base`.

    Raises:
        UserError: a kind of address that is not known.
    """
    try:
        path = epath.Path(given)
    except (KeyError, ValueError) as error:
        raise UserError(f"'{given}' is no path: give one of this machine, or gs://...") from error
    if is_remote(path):
        return path
    return epath.Path(base) / path.expanduser()


def is_remote(path: PathLike) -> bool:
    """Whether a path is that of a bucket, where a file appears whole or not at all."""
    return "://" in os.fspath(path)


def replace(path: epath.Path, content: bytes) -> None:
    """Writes a file so that a reader, or a crash, never sees half of it."""
    if is_remote(path):
        path.write_bytes(content)
        return
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = epath.Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would hide results from a colleague
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
