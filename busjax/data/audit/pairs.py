"""Every pair of images of a set that are one, or one mirrored."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from busjax.data.audit import candidates
from busjax.data.audit.alignment import Match, Rule, align
from busjax.data.audit.features import Features, describe, shrunk


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two images that were laid on each other, and how.

    Attributes:
        one, other: their positions, `one` below `other`.
        mirrored: the one was mirrored left to right for it.
        match: of the shrunk (and mirrored) images.
    """

    one: int
    other: int
    mirrored: bool
    match: Match


def steps(count: int) -> int:
    """How often `find` tells of its progress, at most, on so many images."""
    return 5 * count


def find(
    images: Sequence[np.ndarray],
    rule: Rule = Rule(),  # noqa: B008  (it is frozen)
    progress: Callable[[int], object] = lambda count: None,
) -> list[Pair]:
    """Finds the pairs that are one image, the best match of each pair, in ascending order.

    Args:
        images: each (H, W) uint8 of any size.
        rule: from when on two are one.
        progress: called with the steps that were made, see `steps`.
    """
    small = [shrunk(image) for image in images]
    flipped = [np.ascontiguousarray(image[:, ::-1]) for image in small]
    with ThreadPoolExecutor() as pool:  # OpenCV works outside of Python's lock
        features = _counted(pool.map(describe, small), progress)
        mirrored = _counted(pool.map(describe, flipped), progress)
        plain = candidates.propose(features, features, progress)
        wanted = {(min(pair), max(pair), False) for pair in plain}
        wanted |= {(*pair, True) for pair in candidates.propose(mirrored, features, progress)}

        def lay(pair: tuple[int, int, bool]) -> Pair | None:
            one, other, is_mirrored = pair
            queries, pixels = (mirrored, flipped) if is_mirrored else (features, small)
            match = align(pixels[one], queries[one], small[other], features[other])
            if match is None or not match.satisfies(rule):
                return None
            return Pair(min(one, other), max(one, other), is_mirrored, match)

        laid = [pair for pair in pool.map(lay, sorted(wanted)) if pair is not None]
    progress(len(images))
    best: dict[tuple[int, int], Pair] = {}
    for pair in laid:
        before = best.get((pair.one, pair.other))
        if before is None or pair.match.inliers > before.match.inliers:
            best[pair.one, pair.other] = pair
    return [best[key] for key in sorted(best)]


def _counted(described: Iterable[Features], progress: Callable[[int], object]) -> list[Features]:
    features_of_all = []
    for features in described:
        progress(1)
        features_of_all.append(features)
    return features_of_all
