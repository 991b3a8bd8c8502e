"""Phantoms that were made before: one takes 50 ms to simulate, and 0.1 ms to read."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from etils import epath

from busjax import cache, files

_LARGEST_SIDE = 512  # pixels; larger ones are made anew
_LARGEST = 2**28  # bytes of all phantoms


def read(name: str, size: int, make: Callable[[], np.ndarray]) -> np.ndarray:
    """Image and mask, (2, size, size) uint8, as they were kept under a name, else as made now."""
    folder = _folder() if size <= _LARGEST_SIDE else None
    if folder is None:
        return make()
    # Plain bytes: several threads read, and numpy's own format parses Python, which CPython 3.11
    # may fail to do in two threads at once (its issue 106905).
    path = folder / f"{name}_{size}.bytes"
    with contextlib.suppress(OSError):  # it is missing
        pixels = np.fromfile(path, np.uint8)
        if pixels.size == 2 * size * size:  # whole
            return pixels.reshape(2, size, size)
    made = make()
    with contextlib.suppress(OSError):  # a full disk: nothing is lost
        files.replace(epath.Path(path), made.tobytes())
    return made


@functools.cache
def _folder() -> Path | None:
    """Of this very code: other code would make other phantoms."""
    versions = hashlib.sha256(f"{np.__version__} {cv2.__version__}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        versions.update(path.read_bytes())
    folder = cache.folder("phantoms", versions.hexdigest()[:16])
    if folder is not None:
        cache.prune(folder, "*.bytes", _LARGEST)
    return folder
