"""The pairs of images that are worth a closer look: few of all, and hardly a true one missed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from busjax.data.audit.features import Features

_STRONGEST = 48  # features of an image that have a vote
_NEIGHBOURS = 8  # images proposed for each image
_COMMON = 20  # a feature that resembles as many images says little


def propose(
    queries: Sequence[Features],
    images: Sequence[Features],
    progress: Callable[[int], object] = lambda count: None,
) -> list[tuple[int, int]]:
    """For each query the images whose features resemble its own most.

    A feature votes for an image by how much better its best match there is than that in the
    twentieth best image.

    Args:
        queries: of N images, or of N images changed in some way, such as mirrored.
        images: of the same N images.
        progress: called with 1 after each query.

    Returns:
        Pairs (query, image) of different images, in ascending order.
    """
    count = len(images)
    if count < 2:
        return []
    table = np.concatenate([_strongest(image) for image in images]).T
    votes = np.zeros((count, count), np.float32)
    for index, query in enumerate(queries):
        best = (_strongest(query) @ table).reshape(_STRONGEST, count, _STRONGEST).max(axis=-1)
        best[:, index] = 0
        place = max(0, count - _COMMON)
        common = np.partition(best, place, axis=1)[:, place, None]
        votes[index] = np.maximum(best - common, 0).sum(axis=0)
        progress(1)
    votes += votes.T
    np.fill_diagonal(votes, -1)
    nearest = np.argsort(-votes, axis=1, kind="stable")[:, : min(_NEIGHBOURS, count - 1)]
    return sorted((index, int(other)) for index, row in enumerate(nearest) for other in row)


def _strongest(image: Features) -> np.ndarray:
    """So many descriptors, zeros where there are fewer."""
    descriptors = image.descriptors[:_STRONGEST]
    return np.pad(descriptors, ((0, _STRONGEST - len(descriptors)), (0, 0)))
