"""The one record that every reader yields."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np

Problem = tuple[str, str]
"""A file of the folder, or a line of a table, and what is wrong with it."""

_NAMED = 20  # problems in a message, at most


@dataclasses.dataclass(frozen=True)
class Record:
    """One ultrasound image with its annotation.

    Attributes:
        id: unique within the source, e.g. 'benign (1)'.
        image: (H, W) uint8, grey levels in [0, 255].
        mask: (H, W) uint8, 1 inside a lesion and 0 elsewhere; all 0 for a normal image.
        label: index into `CLASSES`.
        group: images of one group (same patient view, duplicates) never part in a split.
    """

    id: str
    image: np.ndarray
    mask: np.ndarray
    label: int
    group: str


class RecordSource(Protocol):
    """Random access to records; what splitting needs is known without decoding a pixel.

    Attributes:
        name: 'busi' or 'phantom'; saved with every result, so that one never passes for the other.
        description: one plain line for the terminal and the report.
        ids: unique ids, in the order of the records.
        labels: (N,) int32, indices into `CLASSES`.
        groups: group names, in the order of the records.
        remarks: lines for a person: what was left out, and what is odd.
    """

    name: str
    description: str
    remarks: tuple[str, ...]
    ids: tuple[str, ...]
    labels: np.ndarray
    groups: tuple[str, ...]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Record: ...


def set_names(source: RecordSource, alone: str = "") -> tuple[str, ...]:
    """The name of the set of every record, (N,); `alone` where the source is one set."""
    return getattr(source, "sets", None) or (alone,) * len(source.ids)


def scanners(source: RecordSource) -> tuple[str, ...]:
    """The scanner of every record, (N,); '' where the set does not tell it."""
    return getattr(source, "scanners", None) or ("",) * len(source.ids)


def training_only(source: RecordSource) -> frozenset[str]:
    """Ids of the images that no split validates or tests on (`config.data.extra`)."""
    return frozenset(getattr(source, "training_only", ()))


def sets(source: RecordSource) -> dict[str, str] | None:
    """The set of every id, where several were joined to be split; else None."""
    if not hasattr(source, "sets"):
        return None
    further = training_only(source)
    pairs = zip(source.ids, source.sets, strict=True)
    by_id = {id: name for id, name in pairs if id not in further}
    return None if further and len({*by_id.values()}) == 1 else by_id


def digests(source: RecordSource) -> dict[str, str]:
    """Returns of every id a text that tells its pixels and class, 32 hexadecimal digits.

    All images are decoded, but for phantoms, which their seed and index tell.
    """
    if source.name == "phantom":
        return {id: _digest(f"{source.description} {id}".encode()) for id in source.ids}
    by_id = {}
    for index in range(len(source)):
        record = source[index]
        kind = f"{record.label} {record.image.shape}".encode()
        by_id[record.id] = _digest(kind, record.image.tobytes(), record.mask.tobytes())
    return by_id


def _digest(*parts: bytes) -> str:
    total = hashlib.blake2b(digest_size=16)
    for part in parts:
        total.update(part)
    return total.hexdigest()


def listed(what: str, problems: Sequence[Problem]) -> list[str]:
    """A line each for what was found, so many at most."""
    lines = [f"{what}: {file}: {reason}" for file, reason in problems[:_NAMED]]
    more = len(problems) - _NAMED
    return [*lines, f"{what}: {more} more"] if more > 0 else lines


def told(what: str, problems: Sequence[Problem]) -> str:
    """What is wrong, how often, and what to do, in one line."""
    named = "; ".join(f"{file}: {reason}" for file, reason in problems[:_NAMED])
    more = len(problems) - _NAMED
    return (
        f"{what} ({len(problems)}): {named}"
        + (f"; and {more} more" if more > 0 else "")
        + ". Mend them, or leave them out with --config.data.on_bad=skip"
    )
