"""The page of an audit: the images of each group side by side, and what is objected."""

from __future__ import annotations

import collections
import dataclasses
import urllib.parse
from collections.abc import Sequence

import cv2
import numpy as np

from busjax.classes import CLASSES
from busjax.data.audit.features import shrunk
from busjax.data.audit.objections import Objection
from busjax.data.audit.run import Audit
from busjax.data.records import Record
from busjax.pages import drawing
from busjax.pages.rendering import render
from busjax.pages.tables import Cell, Listing

_OUTLINE = (31, 224, 208)  # as `drawing.TRUTH`


@dataclasses.dataclass(frozen=True)
class Image:
    """One image of a group.

    Attributes:
        id: of the record.
        caption: its class and size.
        source: data URI of a thumbnail with the outline of its mask.
        kept: why it represents the group; '' where another one does.
    """

    id: str
    caption: str
    source: str
    kept: str


@dataclasses.dataclass(frozen=True)
class ImageGroup:
    """Images that are one.

    Attributes:
        images: at least two.
        objections: that concern several of them.
        pairs: how well each pair agrees.
    """

    images: list[Image]
    objections: list[str]
    pairs: list[str]


def page(result: Audit, unusable: Sequence[tuple[str, str]], content: str) -> bytes:
    """The page as HTML that needs no other file.

    Args:
        result: the audit.
        unusable: files that could not be used, and why.
        content: the name of the JSON file that lies beside the page.
    """
    inside = sum(len(group.members) for group in result.groups)
    counts = collections.Counter(objection.kind for objection in result.objections)
    return render(
        "audit.html",
        title="busjax: audit",
        heading="Audit",
        banner="",
        n_images=len(result.records),
        n_inside=inside,
        n_groups=len(result.groups),
        counts=", ".join(f"{kind}: {count}" for kind, count in counts.items()),
        content=urllib.parse.quote(content),
        unusable=_unusable(unusable),
        groups=[_group(result, index) for index in range(len(result.groups))],
        objections=_objections(result.objections),
    )


def _unusable(problems: Sequence[tuple[str, str]]) -> Listing | None:
    if not problems:
        return None
    rows = [[Cell(file), Cell(reason)] for file, reason in problems]
    return Listing("Files that cannot be used", "", ("file", "reason"), rows)


def _objections(objections: Sequence[Objection]) -> Listing | None:
    if not objections:
        return None
    rows = [[Cell(each.kind), Cell(", ".join(each.ids)), Cell(each.detail)] for each in objections]
    return Listing("Objections", "", ("kind", "images", "detail"), rows, ("kind",))


def _group(result: Audit, index: int) -> ImageGroup:
    group = result.groups[index]
    best, why = result.representatives[index]
    ids = {result.records[member].id for member in group.members}
    return ImageGroup(
        [_image(result.records[member], why if member == best else "") for member in group.members],
        [
            f"{each.kind}: {', '.join(each.ids)} ({each.detail})"
            for each in result.objections
            if len(each.ids) > 1 and ids >= set(each.ids)
        ],
        [
            f"{result.records[pair.one].id} and {result.records[pair.other].id}: "
            f"{pair.match.inliers} points agree, correlation {pair.match.correlation:.2f}"
            f"{', mirrored' if pair.mirrored else ''}"
            for pair in group.pairs
        ],
    )


def _image(record: Record, kept: str) -> Image:
    height, width = record.image.shape
    caption = f"{CLASSES[record.label]}, {width} x {height}"
    return Image(record.id, caption, _thumbnail(record), kept)


def _thumbnail(record: Record) -> str:
    """The image with the outline of its mask."""
    pixels = cv2.cvtColor(shrunk(record.image), cv2.COLOR_GRAY2RGB)
    mask = (shrunk(record.mask * 255) > 127).astype(np.uint8)
    curves, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(pixels, curves, -1, _OUTLINE, 1)
    return drawing.pixels(pixels, "jpeg")
