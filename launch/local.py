"""Several processes of one command on this machine, as a pod would run them.

    python -m launch.local --processes=2 -- python -m busjax.main --config=configs/unetpp.py

(`python -m busjax.launch.local` where busjax is installed.)

Each process gets its place in the run through BUSJAX_COORDINATOR, BUSJAX_PROCESSES and
BUSJAX_PROCESS_INDEX; its lines come out behind its index. Ctrl-C (or SIGTERM) goes to all. The
first one that fails ends the others, and its exit code is returned.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import IO, NoReturn

_GRACE = 10.0  # seconds from the signal to the kill
_PAUSE = 0.05  # seconds between two looks at the processes
_WRITING = threading.Lock()  # a line is written whole, and none is lost


@dataclasses.dataclass(frozen=True)
class Child:
    """A process, and the threads that copy its lines."""

    process: subprocess.Popen[str]
    copies: list[threading.Thread]


def main(arguments: Sequence[str] | None = None) -> int:
    """Starts the processes, waits for them, and returns the exit code of the run."""
    options = _parse(arguments)
    signals: list[int] = []  # noted, not raised: a child that has just started is never forgotten
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: signals.append(number))
    address = f"127.0.0.1:{_free_port()}"
    children: list[Child] = []
    try:
        for index in range(options.processes):
            children.append(_start(options, index, address))
        code = _wait(children, signals)
    finally:
        _end(children, signals)
    return code


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m launch.local",
        usage="%(prog)s --processes=N [--cpu_devices=N] [--gpus=N] -- COMMAND...",
        description=(__doc__ or "").split("\n")[0],
    )
    parser.add_argument("--processes", type=_positive, required=True, help="how many")
    parser.add_argument(
        "--cpu_devices", type=_positive, help="virtual CPU devices of each process [1]"
    )
    parser.add_argument(
        "--gpus", type=_positive, help="GPUs of each process, in turn [all of them see all]"
    )
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="what each of them runs")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, 1 or more")
    return int(text)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _start(options: argparse.Namespace, index: int, address: str) -> Child:
    place = {
        "BUSJAX_COORDINATOR": address,
        "BUSJAX_PROCESSES": str(options.processes),
        "BUSJAX_PROCESS_INDEX": str(index),
    }
    if options.cpu_devices:
        place |= {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(options.cpu_devices)}
    if options.gpus:
        first = index * options.gpus
        place["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, range(first, first + options.gpus)))
    try:
        process = subprocess.Popen(
            options.command,
            env={**os.environ, **place},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # a Ctrl-C reaches it once, through the launcher
        )
    except OSError as error:
        _fail(f"{options.command[0]} cannot be started: {error.strerror}")
    streams = ((process.stdout, sys.stdout), (process.stderr, sys.stderr))
    copies = [
        threading.Thread(target=_copy, args=(source, target, index), daemon=True)
        for source, target in streams
    ]
    for copy in copies:
        copy.start()
    return Child(process, copies)


def _copy(source: IO[str], target: IO[str], index: int) -> None:
    for line in source:
        with _WRITING:
            target.write(f"[{index}] {line.rstrip()}\n")
            target.flush()


def _wait(children: list[Child], signals: list[int]) -> int:
    """Waits until all have ended well, one has not, or a signal comes; returns the exit code."""
    while not signals:
        codes = [child.process.poll() for child in children]
        for index, code in enumerate(codes):
            if code:
                code = code if code > 0 else 128 - code  # as a shell counts signals
                _say(f"process {index} ended with code {code}: the others are ended")
                return code
        if None not in codes:
            return 0
        time.sleep(_PAUSE)
    return 128 + signals[0]


def _end(children: list[Child], signals: list[int]) -> None:
    """Passes the signal on to all that still run; kills those that do not end in time."""
    heard = len(signals)
    number = signals[0] if signals else signal.SIGTERM
    running = [child.process for child in children if child.process.poll() is None]
    for process in running:
        process.send_signal(number)
    deadline = time.monotonic() + _GRACE
    while any(process.poll() is None for process in running):
        if time.monotonic() > deadline or len(signals) > heard:  # a second Ctrl-C waits for nobody
            for process in running:
                process.kill()
        time.sleep(_PAUSE)
    for child in children:
        for copy in child.copies:
            copy.join(1.0)  # their last lines; a grandchild may hold the pipe open for longer


def _say(text: str) -> None:
    print(f"launch: {text}", file=sys.stderr, flush=True)


def _fail(text: str) -> NoReturn:
    _say(text)
    sys.exit(1)


if __name__ == "__main__":
    sys.exit(main())
