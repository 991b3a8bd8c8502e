"""Subjects, each in a process of its own, timed in turns: what disturbs one disturbs the others."""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from busjax.benchmark.subjects import Subject
from busjax.errors import UserError

_PAUSE = 0.25  # seconds, in which the threads of the last one fall asleep


@dataclasses.dataclass(frozen=True)
class Timing:
    """Of one subject.

    Attributes:
        cold: seconds from the start of its process to the end of its first call, nothing kept.
        kept: the same where an earlier process has kept what it compiled.
        seconds: of a call, median.
        megabytes: the most memory that the second process held.
    """

    cold: float
    kept: float
    seconds: float
    megabytes: float


class _Worker:
    """A process that times a subject; `start` is the seconds to the end of its first call."""

    def __init__(self, subject: Subject, cache: str) -> None:
        command = [sys.executable, "-m", "busjax.benchmark.worker"]
        start = time.perf_counter()
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [*command, json.dumps(dataclasses.asdict(subject))],
            env={**os.environ, "BUSJAX_CACHE": cache},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        try:
            self._answer("ready")
        except BaseException:
            self.close()
            raise
        self.start = time.perf_counter() - start

    def seconds(self) -> float:
        """Of one call."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._answer("seconds"))

    def megabytes(self) -> float:
        """The most memory that the process held; ends it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return float(self._answer("megabytes"))

    def close(self) -> None:
        """Ends the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                stream.close()

    def _answer(self, name: str) -> Any:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                return json.loads(line)[name]
            except (ValueError, KeyError, TypeError):
                continue  # what a library prints
        self._log.seek(0)
        last = (self._log.read().strip().splitlines() or ["it said nothing"])[-1]
        raise UserError(f"a process of the benchmark ended: {last}")


def measure(subjects: Mapping[str, Subject], rounds: int) -> dict[str, Timing]:
    """Starts every subject twice, one after the other, then times the second ones in turns.

    Args:
        subjects: by name.
        rounds: calls of each that count.

    Raises:
        UserError: a process ended, with the last line that it printed.
    """
    workers: dict[str, _Worker] = {}
    cold: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as cache:
        try:
            for name, subject in subjects.items():
                first = _Worker(subject, cache)
                cold[name] = first.start
                first.close()
                workers[name] = _Worker(subject, cache)
            seconds = _in_turns(list(workers.values()), rounds)
            return {
                name: Timing(cold[name], worker.start, statistics.median(taken), worker.megabytes())
                for (name, worker), taken in zip(workers.items(), seconds, strict=True)
            }
        finally:
            for worker in workers.values():
                worker.close()


def _in_turns(workers: Sequence[_Worker], rounds: int) -> list[list[float]]:
    taken: list[list[float]] = [[] for _ in workers]
    for _ in range(rounds):
        for worker, seconds in zip(workers, taken, strict=True):
            time.sleep(_PAUSE)
            seconds.append(worker.seconds())
    return taken
