"""Look-up tables of DICOM: modality LUTs, VOI LUTs and palettes (PS3.3 C.11.1, C.11.2, C.7.6.3)."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from busjax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Lookup:
    """A table.

    Attributes:
        first: the value that its first entry is for.
        entries: (n,) int64.
        top: the largest value that an entry may have.
    """

    first: int
    entries: np.ndarray
    top: int

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """The entries of values; those outside of the table are given its ends."""
        places = np.clip(np.rint(values).astype(np.int64) - self.first, 0, len(self.entries) - 1)
        return self.entries[places]


def read(descriptor: Any, data: Any, signed: bool) -> Lookup:
    """Reads a table.

    Args:
        descriptor: number of entries (0: 65536), first value, bits of an entry.
        data: the entries, as bytes or numbers.
        signed: whether the values that it is for are signed, and so the first value.

    Raises:
        UserError: there are fewer entries than announced.
    """
    count, first, bits = (int(value) for value in descriptor)
    count = count % 65536 or 65536
    first %= 65536
    if signed and first >= 32768:
        first -= 65536
    entries = _entries(data, count, bits)
    if len(entries) < count:
        raise UserError(f"a look-up table has {len(entries)} entries of {count}")
    entries = entries[:count].astype(np.int64)
    top = 2**bits - 1
    if bits > 8 and entries.max() < 256:  # announced as 16 bits, written as 8
        top = 255
    return Lookup(first, entries, max(top, int(entries.max())))


def _entries(data: Any, count: int, bits: int) -> np.ndarray:
    """The entries, of one byte where two share a word, else of two."""
    if not isinstance(data, bytes):
        words = np.atleast_1d(np.asarray(data)).astype(np.int64) % 65536
        if bits <= 8 and len(words) < count:  # two entries a word, the first one in its low byte
            return words.astype("<u2").view(np.uint8)
        return words
    if bits <= 8 and len(data) < 2 * count:
        return np.frombuffer(data, np.uint8)
    return np.frombuffer(data[: len(data) // 2 * 2], "<u2")
