"""The pixels in which masks are compared: those that the network sees, or the original image's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from busjax import components
from busjax.data import fitting
from busjax.data.fitting import Area
from busjax.data.records import RecordSource
from busjax.metrics import boundary, detection, segmentation
from busjax.metrics.boundary import Distances
from busjax.metrics.detection import Lesions
from busjax.metrics.segmentation import PixelCounts

NETWORK, IMAGE = "network", "image"

COMPARED = (
    *("dice_average", "dice_benign", "dice_malignant", "dice_normal", "iou_average"),
    *("hausdorff95", "hausdorff95_median", "distance"),
)
"""Scores that differ between the grids."""

OTHER = "network_grid_"
"""What the names of these scores begin with, in a summary whose own scores are of `IMAGE`."""


class Measured(NamedTuple):
    """What is said of N masks and their annotations."""

    counts: PixelCounts
    distances: Distances
    lesions: Lesions


def name(image_size: int | None, grid: str) -> str:
    """The grid in words, to stand beside distances in pixels."""
    if grid == IMAGE:
        return "the original image"
    size = f" to {image_size} x {image_size}" if image_size else ""
    return f"the image resized{size}, as the network sees it"


def of_results(facts: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """The grid of an evaluation in words.

    Args:
        facts: entries of its summary; an earlier version told none, and had one.
        config: every field of the run by its dotted name.
    """
    return str(facts.get("grid") or name(config.get("data.image_size"), NETWORK))


def in_network(masks: np.ndarray, target: np.ndarray, areas: Sequence[Area]) -> Measured:
    """Compares masks (N, S, S) bool with the fitted annotations, each in the place of its image."""
    return _joined(
        [
            _compared(area.of(one), area.of(other))
            for one, other, area in zip(masks, target, areas, strict=True)
        ]
    )


def in_image(
    probability: np.ndarray,
    areas: Sequence[Area],
    source: RecordSource,
    positions: Sequence[int],
    largest: int,
) -> Measured:
    """Compares masks in the pixels of the original images, as a prediction delivers them.

    Args:
        probability: (N, S, S) in [0, 1], of the masks as the network gives them.
        areas: of each image its place in the square.
        source: of the images.
        positions: of the N images in it.
        largest: connected parts of a mask that are kept; 0: all.
    """
    each = []
    for small, area, position in zip(probability, areas, positions, strict=True):
        target = source[position].mask.astype(bool)
        whole = fitting.back(small.astype(np.float32), area, *target.shape)
        mask = components.largest(np.clip(whole, 0, 1) >= 0.5, largest)
        each.append(_compared(mask, target))
    return _joined(each)


def _compared(mask: np.ndarray, target: np.ndarray) -> Measured:
    """What is said of one mask (H, W) bool."""
    mask, target = mask[None], target[None]
    return Measured(
        segmentation.count_pixels(mask, target),
        boundary.distances(mask, target),
        detection.lesions(mask, target),
    )


def _joined(each: Sequence[Measured]) -> Measured:
    return Measured(
        PixelCounts(*map(np.concatenate, zip(*(one.counts for one in each), strict=True))),
        Distances(*map(np.concatenate, zip(*(one.distances for one in each), strict=True))),
        Lesions(*map(np.concatenate, zip(*(one.lesions for one in each), strict=True))),
    )
