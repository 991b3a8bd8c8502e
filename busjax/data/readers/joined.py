"""Several sets as one: their images one after the other, each known by its set."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from busjax.data import records
from busjax.data.records import Record, RecordSource
from busjax.errors import UserError


class JoinedSource:
    """The records of several sources; ids and groups begin with the name of their set.

    Attributes:
        sets: name of the set of every record, (N,).
    """

    def __init__(self, sources: Sequence[tuple[str, RecordSource]]) -> None:
        """Joins sources.

        Args:
            sources: at least two, with their names.

        Raises:
            UserError: two of one name.
        """
        names = [name for name, _ in sources]
        if len(set(names)) < len(names):
            raise UserError(
                f"config.data.dir names two folders '{max(names, key=names.count)}': give folders "
                "of different names"
            )
        self._sources = [source for _, source in sources]
        self._starts = [0, *itertools.accumulate(len(source) for source in self._sources)]
        self.name: str = "+".join(dict.fromkeys(source.name for source in self._sources))
        self.sets: tuple[str, ...] = tuple(name for name, source in sources for _ in source.ids)
        self.scanners: tuple[str, ...] = tuple(
            scanner for _, source in sources for scanner in records.scanners(source)
        )
        self.ids = self._named(source.ids for source in self._sources)
        self.groups = self._named(source.groups for source in self._sources)
        self.labels: np.ndarray = np.concatenate([source.labels for source in self._sources])
        self.description: str = "; ".join(f"{name}: {source.description.removeprefix(f'{name}: ')}"
                                          for name, source in sources)  # fmt: skip

        self.remarks: tuple[str, ...] = tuple(
            f"{name}: {line}" for name, source in sources for line in source.remarks
        )

    def _named(self, parts: Iterable[Iterable[str]]) -> tuple[str, ...]:
        texts = itertools.chain.from_iterable(parts)
        return tuple(f"{name}/{text}" for name, text in zip(self.sets, texts, strict=True))

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, index: int) -> Record:
        index = range(len(self))[index]
        which = bisect.bisect_right(self._starts, index) - 1
        record = self._sources[which][index - self._starts[which]]
        return dataclasses.replace(record, id=self.ids[index], group=self.groups[index])
