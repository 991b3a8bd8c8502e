"""What else is wrong with images: contradictions within a group, masks, what was burned in."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from busjax.classes import CLASSES, NORMAL
from busjax.data.audit import alignment
from busjax.data.audit.features import shrunk
from busjax.data.audit.groups import Group
from busjax.data.audit.pairs import Pair
from busjax.data.records import Record

KINDS = ("two classes", "masks disagree", "tiny mask", "mask at the border", "burned in", "colour")

LEAST_IOU = 0.7
"""Of two masks of one lesion; below it they disagree."""

_MARKS = 2  # signs; of one alone a fifth of all images without any are accused
_TINY = 0.002  # share of the image
_BORDER = 0.2  # share of the lesion's outermost rows and columns that lie on the image's border


@dataclasses.dataclass(frozen=True)
class Objection:
    """Something that a person should look at.

    Attributes:
        kind: one of `KINDS`.
        ids: of the images that it is about.
        detail: in words.
    """

    kind: str
    ids: tuple[str, ...]
    detail: str


def of_groups(records: Sequence[Record], groups: Sequence[Group]) -> list[Objection]:
    """Contradictions between images that are one."""
    raised = []
    for group in groups:
        members = [records[index] for index in group.members]
        classes = sorted({record.label for record in members})
        if len(classes) > 1:
            ids = tuple(record.id for record in members)
            named = " and ".join(CLASSES[label] for label in classes)
            raised.append(Objection("two classes", ids, f"the same image as {named}"))
        for pair in group.pairs:
            one, other = records[pair.one], records[pair.other]
            if NORMAL in (one.label, other.label):
                continue
            if (iou := _overlap(one.mask, other.mask, pair)) < LEAST_IOU:
                detail = f"masks of one lesion, laid on each other: IoU {iou:.2f}"
                raised.append(Objection("masks disagree", (one.id, other.id), detail))
    return raised


def _overlap(mask: np.ndarray, other: np.ndarray, pair: Pair) -> float:
    """IoU of two masks after the match of their images, where both images reach."""
    ours, theirs = shrunk(mask * 255), shrunk(other * 255)
    if pair.mirrored:
        ours = np.ascontiguousarray(ours[:, ::-1])
    covered = alignment.warped(np.full_like(ours, 255), pair.match, theirs.shape) > 127
    moved = alignment.warped(ours, pair.match, theirs.shape) > 127
    theirs = (theirs > 127) & covered
    union = (moved | theirs).sum()
    return float((moved & theirs).sum() / union) if union else 1.0


def of_image(record: Record, coloured: bool) -> list[Objection]:
    """What is wrong with one image.

    Args:
        record: the image and its mask.
        coloured: whether the file holds colours, see `has_colour`.
    """
    raised = []
    mask = record.mask.astype(bool)
    if mask.any():
        share = float(mask.mean())
        if share < _TINY:
            detail = f"{int(mask.sum())} pixels, {share:.2%} of the image"
            raised.append(Objection("tiny mask", (record.id,), detail))
        if sides := _sides(mask):
            raised.append(Objection("mask at the border", (record.id,), ", ".join(sides)))
    marks = burned_in(record.image)
    if marks >= _MARKS:
        raised.append(Objection("burned in", (record.id,), f"{marks} signs or strokes"))
    if coloured:
        raised.append(Objection("colour", (record.id,), "colours, such as Doppler or an overlay"))
    return raised


def _sides(mask: np.ndarray) -> list[str]:
    """The sides of the image on which the lesion is cut off."""
    edges = {"top": mask[0], "bottom": mask[-1], "left": mask[:, 0], "right": mask[:, -1]}
    widths = {"top": mask.any(0), "bottom": mask.any(0), "left": mask.any(1), "right": mask.any(1)}
    return [side for side, edge in edges.items() if edge.sum() > _BORDER * widths[side].sum()]


def burned_in(image: np.ndarray) -> int:
    """Counts bright, thin, sharp signs in (H, W) uint8: letters, calipers, pictograms.

    A sign is a connected part, of the size of a letter, of pixels that are much brighter than the
    median of their surroundings; speckle is softer, and tissue is larger.
    """
    small = shrunk(image)
    around = cv2.medianBlur(small, 9)
    sharp = (small.astype(int) - around > 90) & (small > 140)
    count, _, stats, _ = cv2.connectedComponentsWithStats(sharp.astype(np.uint8), connectivity=8)
    width, height, area = (stats[1:count, column] for column in (2, 3, 4))
    letters = (height >= 4) & (height <= 20) & (width >= 2) & (width <= 40) & (area >= 6)
    return int(letters.sum())


def has_colour(image: np.ndarray) -> bool:
    """Whether (H, W, 3) uint8 has more than a few pixels that are no grey."""
    spread = image.max(axis=-1).astype(int) - image.min(axis=-1)
    return float((spread > 40).mean()) > 0.001
