"""What an audit finds of what two hand-made lists of BUSI say.

    python -m busjax.benchmark.audit --audit=audit.json --letter=LETTER.csv --curated=CURATED.csv

The groups of the letter are halved by turns; the rule of the audit was tuned on the first half.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import sys
from collections.abc import Collection, Mapping

from etils import epath

from busjax import files
from busjax.data.curation import read_list
from busjax.errors import UserError, tell

Pair = tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Found:
    """Of some images.

    Attributes:
        images: how many they are.
        listed: pairs that the letter puts into one group.
        listed_found: of these, how many are in one found group.
        dropped: images that the curated list dropped as duplicates.
        dropped_found: of these, how many are in a found group.
        pairs: that were found.
        disputed: of these, those that neither list supports.
    """

    images: int
    listed: int
    listed_found: int
    dropped: int
    dropped_found: int
    pairs: int
    disputed: tuple[Pair, ...]

    def __str__(self) -> str:
        named = "; ".join(" and ".join(pair) for pair in self.disputed)
        return (
            f"{self.images} images: {self.listed_found} of {self.listed} listed pairs, "
            f"{self.dropped_found} of {self.dropped} dropped images in a group; {self.pairs} pairs "
            f"found, {len(self.disputed)} supported by no list{': ' if named else ''}{named}"
        )


def measure(
    images: Collection[str],
    groups: Mapping[str, int],
    pairs: Collection[Pair],
    letter: Mapping[str, str],
    kept: Collection[str],
) -> Found:
    """Compares what was found with the lists, on some images.

    Args:
        images: their ids; a pair counts where one of its images is among them.
        groups: number of the found group of an id; an id in no group is missing.
        pairs: pairs that were found.
        letter: name of the letter's group of every id.
        kept: ids that the curated list keeps; of all others every member of a duplicate set.
    """
    members: dict[str, list[str]] = {}
    for id in sorted(images):
        members.setdefault(letter[id], []).append(id)
    listed = [pair for ids in members.values() for pair in itertools.combinations(ids, 2)]
    dropped = [id for id in images if id not in kept]
    ours = [pair for pair in pairs if set(pair) & set(images)]
    return Found(
        images=len(images),
        listed=len(listed),
        listed_found=sum(a in groups and groups[a] == groups.get(b) for a, b in listed),
        dropped=len(dropped),
        dropped_found=sum(id in groups for id in dropped),
        pairs=len(ours),
        disputed=tuple((a, b) for a, b in ours if letter[a] != letter[b] and {a, b} & set(kept)),
    )


def halves(letter: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The ids in two halves, the letter's groups by turns, so that no group is parted."""
    order = {name: number for number, name in enumerate(dict.fromkeys(letter.values()))}
    both = ([id for id in letter if order[letter[id]] % 2 == half] for half in (0, 1))
    return tuple(both)  # type: ignore[return-value]


def main(arguments: list[str] | None = None) -> int:
    """Prints the figures of each half and of all images."""
    parser = argparse.ArgumentParser(prog="python -m busjax.benchmark.audit")
    for name in ("audit", "letter", "curated"):
        parser.add_argument(f"--{name}", required=True, type=files.argument)
    options = parser.parse_args(arguments)
    try:
        groups, pairs = _read(options.audit)
        letter, kept = read_list(options.letter).groups, read_list(options.curated).keep
        if unknown := {id for pair in pairs for id in pair} - letter.keys():
            raise UserError(f"'{min(unknown)}' is not in the letter's list")
    except UserError as error:
        return tell(error)
    tuned, other = halves(letter)
    for title, images in (("tuned on", tuned), ("the others", other), ("all", list(letter))):
        print(f"{title}: {measure(images, groups, pairs, letter, kept)}")
    return 0


def _read(path: epath.Path) -> tuple[dict[str, int], list[Pair]]:
    """The group of each id, and the pairs, of an audit."""
    try:
        groups = json.loads(path.read_text())["groups"]
        pairs = [(pair["one"], pair["other"]) for group in groups for pair in group["pairs"]]
        return {id: n for n, group in enumerate(groups) for id in group["members"]}, pairs
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"'{path}' is no audit ({error!r})") from error


if __name__ == "__main__":
    sys.exit(main())
