"""A process that times one subject; started by `busjax.benchmark.turns`.

It answers in lines of JSON: one when the first call has ended, one after each line that it reads,
and one at the end of its input.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from busjax.benchmark.subjects import Subject


def main(spec: str) -> None:
    """Times the subject that a JSON object describes."""
    call = Subject(**json.loads(spec)).call()
    call()
    _tell(ready=True)
    for _ in sys.stdin:
        call()  # wakes threads and caches, which slept through the others' turns
        start = time.perf_counter()
        call()
        _tell(seconds=time.perf_counter() - start)
    _tell(megabytes=_most_memory())


def _most_memory() -> float:
    """The most memory that this program held, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # what `getrusage` says begins with the process that started this one
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def _tell(**what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    # The allocator is busjax's own; a peer runs as it does for its users.
    if json.loads(sys.argv[1])["library"] == "busjax":
        from busjax.allocator import restart_tuned

        restart_tuned()
    main(sys.argv[1])
