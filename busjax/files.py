"""Files of runs and data, on a disk or in a bucket (gs://): all are reached through epath."""

from __future__ import annotations

import argparse
import contextlib
import errno
import functools
import logging
import os
import re
import tempfile
from collections.abc import Iterator

from etils import epath

from busjax.errors import UserError

PathLike = str | os.PathLike[str]

_REMEDIES = {  # what to do about a disk's refusal
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room"),
    errno.ETIMEDOUT: "see that its disk answers and that no one stops this process",
    **dict.fromkeys(
        (errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE), "make it writable"
    ),
}


# Thumbnails, waste and snapshots that storage devices and systems keep beside the files.
_NOT_OURS = {
    *("@eadir", "@recycle", "#recycle", "@tmp", "#snapshot", "@recently-snapshot", "__macosx"),
    *("$recycle.bin", "system volume information", "network trash folder"),
}


class Unwritable(UserError):
    """A folder takes no more files: its disk is full or read-only, or it is gone."""


def locate(given: PathLike, base: PathLike = "") -> epath.Path:
    """Returns the path that a user has given: '~' is home, a relative one starts at `base`.

    Raises:
        UserError: a kind of address that is not known, or a bucket that cannot be reached.
    """
    try:
        path = epath.Path(given)
    except (KeyError, ValueError) as error:
        raise UserError(f"'{given}' is no path: give one of this machine, or gs://...") from error
    if is_remote(path):
        _reach(path)
        return path
    return epath.Path(base) / path.expanduser()


def several(text: str, base: PathLike = "") -> list[str]:
    """The paths of a list, joined by ','; a comma of a path that is there parts nothing.

    'a,b' is one path where there is a folder 'a,b', and else two.
    """
    parts, found = text.split(","), []
    while parts:
        count = len(parts)
        while count > 1 and not _is_there(",".join(parts[:count]), base):
            count -= 1
        found.append(",".join(parts[:count]))
        parts = parts[count:]
    return found


def _is_there(text: str, base: PathLike) -> bool:
    if "://" in text.partition(",")[2]:  # a bucket begins there
        return False
    try:
        return locate(text, base).exists()
    except (OSError, UserError):  # many paths are too long for one
        return False


def argument(given: str) -> epath.Path:
    """As `locate`, for the `type` of argparse, which tells what is wrong in its own way."""
    try:
        return locate(given)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def make_folder(workdir: epath.Path) -> epath.Path:
    """Makes the folder of a run where it is missing, and gives it back.

    Raises:
        UserError: it cannot be made.
    """
    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except Exception as error:
        if not is_remote(workdir) and not isinstance(error, OSError):
            raise
        raise UserError(f"--workdir={workdir} cannot be made: {reason(error)}") from error
    return workdir


def reason(error: Exception) -> str:
    """Why a disk or a bucket refused; what a bucket answers has the types of many libraries."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


@functools.cache  # a path that was refused is asked about again
def _reach(path: epath.Path) -> None:
    """Asks a bucket about a path, so that one that does not answer is told before it is used."""
    logger = logging.getLogger("gcsfs")  # prints the stack of every refusal
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        path.exists()
    except ImportError as error:
        known = os.fspath(path).startswith("gs://")
        remedy = f"pip install 'busjax[gcs]' ({error})" if known else f"a library: {error}"
        raise UserError(f"{path} needs {remedy}") from error
    except Exception as error:
        raise UserError(f"{path} cannot be reached: {reason(error)}") from error
    finally:
        logger.setLevel(level)


def is_of_system(name: str) -> bool:
    """Whether a folder of this name is hidden, or holds what a system put there and no person."""
    return name.startswith(".") or name.lower() in _NOT_OURS


def shown(path: PathLike) -> str:
    """A path for a person to read, or for a file of UTF-8: other bytes of its name as '\\xf6'."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


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


@contextlib.contextmanager
def written(folder: epath.Path) -> Iterator[None]:
    """While the block writes into `folder`, what its disk refuses is told in one line.

    Raises:
        Unwritable: in place of the error, which may come of a library and have any type.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if is_remote(folder):
            raise
        if not folder.exists():
            raise Unwritable(f"{folder} was removed while it was in use") from error
        if code := _refusal(error):
            why = "it took too long" if code == errno.ETIMEDOUT else os.strerror(code)
            raise Unwritable(
                f"{folder} cannot be written to: {why}. What was saved before is "
                f"whole: {_REMEDIES[code]}, and start the same command again"
            ) from error
        raise


def _refusal(error: BaseException | None) -> int | None:
    """The number of the disk's error that an error came of; None: of none."""
    while error is not None:
        number = error.errno if isinstance(error, OSError) else None
        if isinstance(error, TimeoutError):  # Orbax gives up, with no number
            number = errno.ETIMEDOUT
        # TensorStore, which writes checkpoints, tells it in words.
        if code := re.search(r"os_error_code='(\d+)'", str(error)):
            number = int(code[1])
        if number in _REMEDIES:
            return number
        error = error.__cause__ or error.__context__
    return None
