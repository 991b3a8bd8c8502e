"""What the system tells of this machine's processor."""

from __future__ import annotations

import functools
import os
from pathlib import Path

_FILE = Path("/proc/cpuinfo")


@functools.cache
def fields() -> dict[str, str]:
    """The fields of the first core, such as 'model name'; none where the system is not Linux."""
    try:
        text = _FILE.read_text(encoding="ascii", errors="ignore")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def flags() -> frozenset[str]:
    """What the first core can do, such as 'avx2'; ARM names them otherwise."""
    return frozenset(fields().get("flags", fields().get("Features", "")).split())


def cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
