"""A run of several processes: joining it, agreeing, and who writes.

Every process runs the same program on its own devices; process 0 alone writes files and prints.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import hashlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from busjax import waiting
from busjax.errors import AGAIN, UserError, tell

_LONGEST_TEXT = 4096  # bytes that a process may tell the others
_SIGNS_OF_LOSS = ("Gloo", "NCCL", "heartbeat", "coordination", "UNAVAILABLE", "DEADLINE_EXCEEDED")
_KEPT: list[object] = []  # what C calls must not be collected
_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a process stands in its run; all three are given, or none (then they are detected).

    Attributes:
        coordinator: 'host:port' on which process 0 listens.
        count: processes of the run; 1: this one alone, nothing is detected.
        index: of this process.

    Raises:
        UserError: they do not fit together.
    """

    coordinator: str | None = None
    count: int | None = None
    index: int | None = None

    def __post_init__(self) -> None:
        if self.count == 1 or (self.coordinator, self.count, self.index) == (None,) * 3:
            return
        if self.coordinator is None or self.count is None or self.index is None:
            raise UserError(
                "a run of several processes needs --coordinator=HOST:PORT, --processes and "
                "--process_index, all three; none of them where they are detected (TPU VM, SLURM, "
                "GKE), --processes=1 for a run of one"
            )
        host, _, port = self.coordinator.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            raise UserError(f"--coordinator={self.coordinator} must be HOST:PORT of process 0")
        if not 0 <= self.index < self.count:
            raise UserError(
                f"--process_index={self.index} must be 0 to {self.count - 1} "
                f"for --processes={self.count}"
            )


def join(place: Place, timeout: int) -> None:
    """Meets the other processes of the run, before anything touches a device.

    With nothing given, the environment tells (TPU VM, SLURM, GKE, Open MPI) or this process is
    alone. In every process but the first, standard output is closed from here on. Where the others
    do not come within `timeout` seconds, the process ends with one line; so it does, with the exit
    code `AGAIN`, where one is lost later: at once, or after `timeout` seconds without an answer.

    Raises:
        UserError: a cluster that is there does not tell what is needed.
    """
    if place.count == 1:
        return
    with _ended_after(timeout, place), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a cluster that lacks what its detection needs
        try:
            jax.distributed.initialize(
                place.coordinator,
                place.count,
                place.index,
                # JAX's own end of a wait is an abort with a stack trace: it comes second.
                initialization_timeout=timeout + 60,
                heartbeat_timeout_seconds=timeout,
                shutdown_timeout_seconds=timeout,
                cluster_detection_method="deactivate" if place.coordinator else None,
            )
        except ValueError as error:
            if "coordinator_address should be defined" not in str(error):
                raise UserError(f"the processes cannot be joined: {error}") from error
            return  # no cluster: alone
        except (RuntimeError, OSError, LookupError) as error:
            raise UserError(
                f"a cluster was detected, but its processes cannot be joined ({error}): give "
                "--coordinator, --processes and --process_index, or --processes=1 for a run of one"
            ) from error
    _answer_aborts()
    if not is_first():
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what C++ prints as well


def alone() -> bool:
    """Whether the run has no other process."""
    return jax.process_count() == 1


def is_first() -> bool:
    """Whether this process writes the files of the run."""
    return jax.process_index() == 0


def waiting_for(what: str) -> contextlib.AbstractContextManager[None]:
    """As `waiting.waiting`, said by the first process alone."""
    return waiting.waiting(what) if is_first() else contextlib.nullcontext()


def on_all(work: Callable[[], _T]) -> _T:
    """Does the same in every process; where one fails, all end instead of waiting for it.

    Raises:
        UserError: in the first process, if `work` raised one in any; the others exit with code 1.
    """
    if alone():
        return work()
    failure = ""
    try:
        result = work()
    except UserError as error:
        failure = str(error)
    texts = _gather(failure)
    if not any(texts):
        return result
    if not is_first():
        sys.exit(1)
    index = next(i for i, text in enumerate(texts) if text)
    where = "" if all(texts) else f"process {index} of {len(texts)}: "
    raise UserError(where + texts[index])


def of_first(text: str) -> str:
    """What the first process brings, at most 4,096 bytes of it, in every process."""
    return text if alone() else _gather(text)[0]


def agree(what: str, text: str) -> None:
    """Raises a UserError, as `on_all` does, unless all processes bring the same text.

    The texts may be of any length: their digests are compared.
    """
    if alone():
        return
    texts = _gather(hashlib.sha256(text.encode()).hexdigest())

    def compare() -> None:
        for index, other in enumerate(texts):
            if other != texts[0]:
                raise UserError(
                    f"{what} of process {index} differ from those of process 0: give all processes "
                    "the same data, the same code and the same flags"
                )

    on_all(compare)


def leave(error: Exception) -> None:
    """Ends a process of several after an error that the others may not share.

    Leaving in the ordinary way would wait for the others, who may wait for this one.
    """
    text = " ".join(str(error).split())
    if any(sign in text for sign in _SIGNS_OF_LOSS):
        line = f"another process of the run was lost ({text[:200]}); started again, it goes on"
        print(f"busjax: process {jax.process_index()}: {line}", file=sys.stderr, flush=True)
        os._exit(AGAIN)
    if isinstance(error, UserError):
        tell(error)
    else:
        sys.excepthook(type(error), error, error.__traceback__)
    sys.stderr.flush()
    os._exit(1)


def _answer_aborts() -> None:
    """Ends this process with a line and the exit code `AGAIN` where JAX would abort it.

    JAX's threads abort the process where process 0 is lost, or another one no longer answers, and
    take no word from Python. Its signal module would come too late: abort() returns to nobody.
    """
    line = (
        f"busjax: process {jax.process_index()}: JAX gave up, as it does where another process of "
        "the run was lost (its own words are above); started again, it goes on\n"
    )

    def end(number: int) -> None:
        os.write(2, line.encode())
        os._exit(AGAIN)

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(end)
    _KEPT.append(handler)
    ctypes.CDLL(None).signal(int(signal.SIGABRT), handler)


@contextlib.contextmanager
def _ended_after(seconds: int, place: Place) -> Iterator[None]:
    """Ends the process with one line unless the block is left in time."""
    who = "this process" if place.index is None else f"process {place.index} of {place.count}"
    where = f" at {place.coordinator}" if place.coordinator else ""
    line = (
        f"busjax: {who} has not met the others{where} within {seconds} s: check that all of them "
        "are started, each with its own --process_index, and that --coordinator is the address of "
        "process 0; --config.parallel.timeout sets the seconds"
    )

    def end() -> None:
        print(line, file=sys.stderr, flush=True)
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _gather(text: str) -> list[str]:
    """The text of every process, in their order; longer ones are cut."""
    content = text.encode()[:_LONGEST_TEXT]
    padded = np.zeros(_LONGEST_TEXT, np.uint8)
    padded[: len(content)] = np.frombuffer(content, np.uint8)
    rows = multihost_utils.process_allgather(padded)
    return [row.tobytes().rstrip(b"\0").decode(errors="ignore") for row in np.asarray(rows)]
