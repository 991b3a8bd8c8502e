"""Pairs that are one image -> groups, of which a person has the last word."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from busjax.data.audit.overrides import Overrides
from busjax.data.audit.pairs import Pair
from busjax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Group:
    """Images that are one, or one moved: never to be parted by a split.

    Attributes:
        members: positions of the images, ascending, at least two.
        pairs: of those found, the ones that lie in the group.
    """

    members: tuple[int, ...]
    pairs: tuple[Pair, ...]


def join(ids: Sequence[str], pairs: Sequence[Pair], overrides: Overrides) -> list[Group]:
    """Joins pairs into groups; what one image shares with two makes the three one group.

    What a person joined comes first, then the surest pairs; a pair that would bring two images
    together that a person parted is left out. Dropped images are in no group.

    Raises:
        UserError: what is joined brings two images together that are parted.
    """
    position = {id: index for index, id in enumerate(ids)}
    parted = [(position[one], position[other]) for one, other in overrides.parted]
    dropped = {position[id] for id in overrides.dropped}
    members = {index: {index} for index in range(len(ids))}

    def unite(one: int, other: int) -> bool:
        ours, theirs = members[one], members[other]
        together = ours | theirs
        if any(a in together and b in together for a, b in parted):
            return False
        members.update(dict.fromkeys(together, together))
        return True

    for one, other in overrides.joined:
        if not unite(position[one], position[other]):
            raise UserError(
                f"the overrides join {one} and {other}, and part two images that this brings into "
                "one group: remove one of the lines"
            )
    for pair in sorted(pairs, key=lambda pair: -pair.match.inliers):
        if not {pair.one, pair.other} & dropped:
            unite(pair.one, pair.other)
    sets = {frozenset(group - dropped) for group in members.values()}
    return [
        Group(
            tuple(sorted(group)),
            tuple(pair for pair in pairs if {pair.one, pair.other} <= group),
        )
        for group in sorted(sets, key=lambda group: min(group, default=0))
        if len(group) > 1
    ]
