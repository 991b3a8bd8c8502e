"""One audit: images -> groups and objections, as they are kept in a JSON file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from typing import Any

from busjax.classes import CLASSES
from busjax.data.audit import groups, objections, pairs
from busjax.data.audit.alignment import Rule
from busjax.data.audit.groups import Group
from busjax.data.audit.objections import Objection
from busjax.data.audit.overrides import Overrides
from busjax.data.records import Record

VERSION = 1


@dataclasses.dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes:
        records: the images.
        groups: of images that are one.
        representatives: of each group the position of the image to keep, and why.
        objections: to images, in the order of their kinds.
        overrides: that were respected.
    """

    records: Sequence[Record]
    groups: list[Group]
    representatives: list[tuple[int, str]]
    objections: list[Objection]
    overrides: Overrides


def audit(
    records: Sequence[Record],
    coloured: Collection[str] = (),
    overrides: Overrides = Overrides(),  # noqa: B008  (it is frozen)
    progress: Callable[[int], object] = lambda count: None,
) -> Audit:
    """Looks at every image and every pair that may be one.

    Args:
        records: the images, with unique ids.
        coloured: ids of those whose files hold colours.
        overrides: a person's decisions.
        progress: called with the steps that were made, of `pairs.steps`.

    Raises:
        UserError: overrides that contradict each other.
    """
    same_view = pairs.find([record.image for record in records], Rule(), progress)
    joined = groups.join([record.id for record in records], same_view, overrides)
    raised = objections.of_groups(records, joined)
    for record in records:
        raised += objections.of_image(record, record.id in coloured)
    chosen = [_representative(records, group, raised) for group in joined]
    order = {kind: index for index, kind in enumerate(objections.KINDS)}
    raised.sort(key=lambda objection: order[objection.kind])
    return Audit(records, joined, chosen, raised, overrides)


def _representative(
    records: Sequence[Record], group: Group, raised: Sequence[Objection]
) -> tuple[int, str]:
    """The image with the fewest objections, of these the largest, of these the first."""

    def objected(index: int) -> int:
        return sum(records[index].id in objection.ids for objection in raised)

    def quality(index: int) -> tuple[int, int, int]:
        return objected(index), -records[index].image.size, index

    best = min(group.members, key=quality)
    others = [index for index in group.members if index != best]
    if objected(best) < min(objected(index) for index in others):
        return best, "fewest objections"
    if records[best].image.size > max(records[index].image.size for index in others):
        return best, "most pixels"
    return best, "first of those with the fewest objections and most pixels"


def to_json(result: Audit) -> dict[str, Any]:
    """The content of the file: all ids, groups, objections, overrides."""
    ids = [record.id for record in result.records]
    return {
        "version": VERSION,
        "rule": dataclasses.asdict(Rule()),
        "images": {record.id: CLASSES[record.label] for record in result.records},
        "groups": [
            {
                "members": [ids[index] for index in group.members],
                "representative": ids[best],
                "why": why,
                "pairs": [
                    {
                        "one": ids[pair.one],
                        "other": ids[pair.other],
                        "inliers": pair.match.inliers,
                        "correlation": round(pair.match.correlation, 4),
                        "overlap": round(pair.match.overlap, 4),
                        "mirrored": pair.mirrored,
                    }
                    for pair in group.pairs
                ],
            }
            for group, (best, why) in zip(result.groups, result.representatives, strict=True)
        ],
        "objections": [dataclasses.asdict(objection) for objection in result.objections],
        "overrides": dataclasses.asdict(result.overrides),
    }
