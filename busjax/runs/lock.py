"""One run a folder: a lock that says whose it is, and shows that its holder is alive."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

from etils import epath

from busjax import files, processes
from busjax.errors import UserError

try:
    import fcntl
except ImportError:  # no POSIX: signs of life alone tell

    def _flock(file: int) -> None:
        raise OSError("this system knows no such locks")

else:

    def _flock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


FILE = "run.lock"
_TAKEN, _LOOKING = "", "looking"
_LONGEST_PAUSE = 10.0  # seconds between two signs of life


class Held(UserError):
    """Another run works in the folder; the message names its host and process."""


@contextlib.contextmanager
def held(workdir: epath.Path, timeout: int) -> Iterator[None]:
    """Keeps other runs out of a folder for as long as the block lasts.

    On one machine the system itself knows whether the holder lives (flock). Where it may not, as
    between hosts and in a bucket, a holder shows it by rewriting the file, and whoever finds the
    file of another host looks on for `timeout` seconds. Two that begin in the same moment in such
    a place find out by the next sign of life: one of them ends. Of several processes of a run the
    first holds the lock for all.

    Args:
        workdir: the folder, which exists.
        timeout: seconds without a sign of life after which a holder counts as dead.

    Raises:
        Held: by a run that is alive.
    """
    lock = _Lock(workdir / FILE, timeout)

    def attempt() -> str:
        return lock.attempt() if processes.is_first() else _TAKEN

    # In short steps: processes that wait for the first one give up before it has looked on.
    while (answer := processes.of_first(processes.on_all(attempt))) == _LOOKING:
        time.sleep(min(1.0, timeout / 20))
    if answer != _TAKEN:
        raise Held(answer)
    try:
        yield
    finally:
        lock.release()


class _Lock:
    def __init__(self, path: epath.Path, timeout: int) -> None:
        self._path, self._timeout = path, timeout
        self._mine = {"host": socket.gethostname(), "process": os.getpid(), "run": uuid.uuid4().hex}
        self._signs = 0
        self._watched: dict[str, Any] | None = None  # what another host's process last wrote
        self._until = 0.0
        self._file: int | None = None  # open for as long as the lock is held, on a disk
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)

    def attempt(self) -> str:
        """Takes the lock, looks on, or says who holds it."""
        if self._watched is None:
            return self._begin()
        holder = self._read()
        if holder and holder != self._watched:
            return self._refuse(holder)
        if holder and time.monotonic() < self._until:
            return _LOOKING
        return self._take()

    def _begin(self) -> str:
        sure = False
        if not files.is_remote(self._path):
            try:
                self._file, sure = _open_locked(self._path)
            except BlockingIOError:
                return self._refuse(self._read())
        holder = self._read()
        # Of this host the system would have known.
        if not holder or (sure and holder["host"] == self._mine["host"]):
            return self._take()
        seconds = max(self._timeout, holder["timeout"])
        print(
            f"{self._path} is held by process {holder['process']} on {holder['host']}; waiting up "
            f"to {seconds} s to see if it is still running",
            flush=True,
        )
        self._watched, self._until = holder, time.monotonic() + seconds
        return _LOOKING

    def _take(self) -> str:
        self._write()
        self._thread.start()
        return _TAKEN

    def _refuse(self, holder: dict[str, Any]) -> str:
        self._close()
        who = f"process {holder['process']} on {holder['host']}" if holder else "another process"
        return (
            f"{self._path.parent} is in use by {who}: wait for its end, or choose another folder "
            "with --workdir"
        )

    def _read(self) -> dict[str, Any]:
        """What the file says; nothing where it is missing or was never written to its end."""
        try:
            holder = json.loads(self._path.read_text())
            return holder if {"host", "process", "timeout"} <= holder.keys() else {}
        except (OSError, ValueError, AttributeError):
            return {}

    def _write(self) -> None:
        self._signs += 1
        said = {**self._mine, "timeout": self._timeout, "signs": self._signs}
        content = (json.dumps(said) + "\n").encode()
        if self._file is None:
            self._path.write_bytes(content)
            return
        # In place: another file under this name would not be locked.
        os.pwrite(self._file, content, 0)
        os.ftruncate(self._file, len(content))

    def _live(self) -> None:
        """Shows that this process is alive, until it lets the lock go."""
        while not self._released.wait(min(_LONGEST_PAUSE, self._timeout / 4)):
            with contextlib.suppress(Exception):  # what a disk or a bucket fails in now and then
                holder = self._read()
                if holder and holder.get("run") != self._mine["run"]:
                    self._end(holder)
                    return
                self._write()

    def _end(self, holder: dict[str, Any]) -> None:
        """Another run took over, as it may from one that was asleep: the folder is its own now."""
        print(
            f"busjax: {self._path.parent} was taken over by process {holder['process']} on "
            f"{holder['host']}, which saw no sign of life of this one: this one ends",
            file=sys.stderr,
            flush=True,
        )
        os._exit(1)

    def release(self) -> None:
        """Lets the lock go, if it was taken."""
        if self._thread.ident is None:  # never started
            return
        self._released.set()
        self._thread.join()
        with contextlib.suppress(OSError):  # the folder may be gone
            if self._read().get("run") == self._mine["run"]:
                self._path.unlink()
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _open_locked(path: epath.Path) -> tuple[int, bool]:
    """Opens a file and locks it; whether its system knows such locks.

    Raises:
        BlockingIOError: it is locked.
    """
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        knows = True
        try:
            _flock(file)
        except BlockingIOError:
            os.close(file)
            raise
        except OSError:
            knows = False
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), os.stat(path)):
                return file, knows
        os.close(file)  # its holder has just removed it: another one may have this name now
