"""Some images of a source, with more of them belonging together than the source knows."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Collection, Mapping

from busjax.data.records import Record, RecordSource


class SelectedSource:
    """The kept records of another source; groups that share an image are one.

    Such a group has its name from the list where the source knows no groups, else from the source.
    """

    def __init__(
        self, source: RecordSource, keep: Collection[str], groups: Mapping[str, str]
    ) -> None:
        """Selects and regroups.

        Args:
            source: of the records.
            keep: ids of those that stay.
            groups: a further group of an id; images of one group, there or here, are never parted.
        """
        self._source = source
        self._positions = [index for index, id in enumerate(source.ids) if id in keep]
        joined = _joined(source, groups)
        self.name = source.name
        self.ids: tuple[str, ...] = tuple(source.ids[index] for index in self._positions)
        self.groups: tuple[str, ...] = tuple(joined[index] for index in self._positions)
        self.labels = source.labels[self._positions]
        left_out = len(source) - len(self)
        said = f", {left_out} of them left out by the audit" if left_out else ""
        self.description = f"{source.description}{said}"
        self.remarks = source.remarks

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, index: int) -> Record:
        record = self._source[self._positions[index]]
        return dataclasses.replace(record, group=self.groups[index])


def _joined(source: RecordSource, groups: Mapping[str, str]) -> list[str]:
    """The group of every record: one for all that are linked by either kind of group."""
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while (other := leader.setdefault(name, name)) != name:
            name = other
        return name

    counts = collections.Counter(source.groups)
    singles = {id for id, group in zip(source.ids, source.groups, strict=True)
               if id == group and counts[group] == 1}  # fmt: skip
    own = [f"group {group}" for group in source.groups]
    for id, group in zip(source.ids, own, strict=True):
        if id in groups:
            leader[find(f"audit {groups[id]}")] = find(group)
    names = [find(group).removeprefix("group ") for group in own]
    # An image that is a group of its own says nothing by its name.
    return [groups.get(name, name) if name in singles else name for name in names]
