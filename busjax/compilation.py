"""Compiled programs, kept on this machine for the next start: JAX's persistent cache."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import jax
import jaxlib

from busjax import cache, processor

LARGEST = 2**30
"""Bytes of all programs, past which those that were not used for longest are removed."""

_LEAST_SECONDS = 0.1  # of compiling, below which a program is not worth a file
_PATIENCE = 5  # seconds that another process may hold the lock
_TIME = "-atime"  # JAX writes it last: an entry without one was cut short by a kill
_ENTRY = "-cache"


def keep() -> None:
    """Lets JAX keep what it compiles from here on, and find what earlier processes kept.

    Several processes may do so at once, and be killed at any time. Does nothing where a program or
    `JAX_COMPILATION_CACHE_DIR` has chosen a cache, where `BUSJAX_CACHE` is empty, or where JAX is
    known to hang: with several processes on CPUs, before 0.10.2.
    """
    chosen = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if chosen or _hangs():
        return
    folder = cache.folder("xla", _machine())
    if folder is None:
        return
    try:
        with filelock.FileLock(folder / ".lockfile", timeout=_PATIENCE):  # JAX's own lock
            _sweep(folder)
    except (OSError, NotImplementedError, filelock.Timeout) as error:
        # A file system that knows no locks, for one.
        print(
            f"busjax: {folder} cannot be locked ({error}): programs are not kept", file=sys.stderr
        )
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_compilation_cache_max_size", LARGEST)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", _LEAST_SECONDS)
    # What XLA has tried on a GPU is kept by layer, and serves other networks that have it as well.
    jax.config.update(
        "jax_persistent_cache_enable_xla_caches", "xla_gpu_per_fusion_autotune_cache_dir"
    )


def flops(function: Callable[..., Any], *shapes: Any) -> float:
    """Floating-point operations of a function of arrays of these shapes, as XLA counts them."""
    analysis: Any = jax.jit(function).lower(*shapes).cost_analysis() or {}
    return float(analysis["flops"])


def _hangs() -> bool:
    return jax.__version_info__ < (0, 10, 2) and jax.process_count() > 1


def _machine() -> str:
    """Names what a program is compiled for besides what JAX looks at: versions and processor."""
    flags = " ".join(sorted(processor.flags())) or platform.processor()
    text = f"{jax.__version__} {jaxlib.__version__} {platform.machine()} {flags}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _sweep(folder: Path) -> None:
    """Removes entries that were cut short; while the lock is held, none is being written."""
    names = {path.name for path in folder.iterdir()}
    for suffix, other in ((_ENTRY, _TIME), (_TIME, _ENTRY)):
        for name in names:
            if name.endswith(suffix) and name.removesuffix(suffix) + other not in names:
                (folder / name).unlink(missing_ok=True)
