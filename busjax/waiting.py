"""What a person sees while something takes long, and work that goes on meanwhile."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import NoReturn, TextIO, TypeVar

_UNTOLD = 2  # seconds that need no word on a terminal
_UNTOLD_IN_FILES = 10  # and elsewhere, where nobody waits for a sign of life
_TICK = 1  # seconds between two of the counter's
_TO_THE_END = "\x1b[K"  # clears a terminal's line
_ALARM_AFTER = 30  # seconds, long before XLA finds that it takes long
_ALARM = (b"slow_operation_alarm", b"Very slow compile?", b"The operation took", b"*" * 32)
_AT_WORK: set[threading.Thread] = set()
_T = TypeVar("_T")


def in_background(work: Callable[[], _T]) -> Future[_T]:
    """Does something in a thread of its own, which does not keep the process from ending."""
    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)
        finally:
            _AT_WORK.discard(threading.current_thread())

    thread = threading.Thread(target=run, daemon=True)
    _AT_WORK.add(thread)
    thread.start()
    return future


def leave(code: int) -> NoReturn:
    """Ends the process, at once where something goes on in the background.

    XLA aborts a process that ends in the ordinary way while it compiles.
    """
    if not _AT_WORK:
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@contextlib.contextmanager
def waiting(what: str, stream: TextIO | None = None) -> Iterator[None]:
    """Says what is waited for while the block lasts, unless it is soon over.

    A terminal shows the seconds, and nothing of it afterwards; elsewhere one line is printed. What
    XLA has to say of compilations that take long is left out.

    Args:
        what: such as 'compiling the train step'.
        stream: None: standard error.
    """
    over = threading.Event()
    shown = threading.Thread(target=_show, args=(what, stream or sys.stderr, over), daemon=True)
    shown.start()
    try:
        yield
    finally:
        over.set()
        shown.join()


def _show(what: str, stream: TextIO, over: threading.Event) -> None:
    start = time.monotonic()
    is_terminal = stream.isatty()
    if over.wait(_UNTOLD if is_terminal else _UNTOLD_IN_FILES):
        return
    if not is_terminal:
        print(f"{what} ...", file=stream, flush=True)
    with contextlib.ExitStack() as stack:
        quiet = False
        while not over.wait(_TICK):
            seconds = time.monotonic() - start
            if is_terminal:
                print(f"\r{what}: {seconds:.0f} s{_TO_THE_END}", end="", file=stream, flush=True)
            if seconds > _ALARM_AFTER and not quiet:
                stack.enter_context(_without_alarm())
                quiet = True
    if is_terminal:
        print(f"\r{_TO_THE_END}", end="", file=stream, flush=True)


@contextlib.contextmanager
def _without_alarm() -> Iterator[None]:
    """Takes XLA's alarm of a slow compilation out of what C++ writes to standard error.

    It is an error to XLA's log: the level that hides it would hide others.
    """
    reading, writing = os.pipe()
    original = os.dup(2)
    os.dup2(writing, 2)
    os.close(writing)

    def pass_on() -> None:
        with os.fdopen(reading, "rb") as lines:
            for line in lines:
                if not any(text in line for text in _ALARM):
                    os.write(original, line)

    thread = threading.Thread(target=pass_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.dup2(original, 2)  # the last writing end: the thread reads to the end
        thread.join()
        os.close(original)
