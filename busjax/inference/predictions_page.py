"""The pages of a folder of predictions."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from busjax.classes import CLASSES
from busjax.data.pixels import resize
from busjax.pages import drawing
from busjax.pages.drawing import PREDICTION, Panel, Picture
from busjax.pages.rendering import render
from busjax.pages.tables import Cell, Listing

CASES = 200  # images on a page: a browser opens some 10 MB at once
_LARGEST_SIDE = 512  # pixels, of what is drawn
_SURE = {True: "no", False: "yes", None: "not known"}
_NAMED_LESIONS = 3  # of an image, at most; predictions.json has them all

BANNER = "This network was trained on synthetic phantoms: what it says of patients means nothing."


@dataclasses.dataclass(frozen=True)
class Case:
    """An image as a page shows it.

    Attributes:
        identifier: of its place in the page.
        entry: its numbers, as in predictions.json.
        picture: the image, and the image with the outline.
        files: what was written of it, by name.
    """

    identifier: str
    entry: dict[str, Any]
    picture: Picture
    files: dict[str, str]

    @property
    def probabilities(self) -> str:
        return ", ".join(
            f"{name} {value:.0%}" for name, value in self.entry["probabilities"].items()
        )

    @property
    def sizes(self) -> list[str]:
        """Of the largest lesions."""
        return [f"lesion of {_size(lesion)}" for lesion in self.entry["lesions"][:_NAMED_LESIONS]]

    @property
    def n_smaller(self) -> int:
        return max(0, len(self.entry["lesions"]) - _NAMED_LESIONS)


def page(
    facts: dict[str, Any],
    entries: Sequence[dict[str, Any]],
    cases: Sequence[Case],
    unreadable: Sequence[dict[str, str]],
) -> bytes:
    """The first page: what was read with what, the files that could not be read, and images.

    Args:
        facts: `record.head`.
        entries: the numbers of all images.
        cases: those that it shows, the first ones; the others have a `further` page.
        unreadable: 'file' and 'reason' of each.
    """
    counts = Counter(entry["class"] for entry in entries)
    count = "1 image" if len(entries) == 1 else f"{len(entries)} images"
    return render(
        "predictions.html",
        title=f"busjax: {count}",
        heading=count,
        banner=_banner(facts),
        counts=", ".join(f"{counts[name]} {name}" for name in CLASSES),
        n_doubtful=sum(bool(entry["abstain"]) for entry in entries),
        facts=facts,
        trained_on=facts["model"]["trained_on"]["description"] or "unknown images",
        links=_links(len(entries)),
        n_shown=CASES,
        unreadable=unreadable,
        images=_listing(entries),
        cases=cases,
    )


def further(facts: dict[str, Any], number: int, cases: Sequence[Case]) -> bytes:
    """Page `number`, from 2 on, with the next images."""
    first, last = CASES * (number - 1) + 1, CASES * (number - 1) + len(cases)
    return render(
        "more_predictions.html",
        title=f"busjax: images {first} to {last}",
        heading=f"Images {first} to {last}",
        banner=_banner(facts),
        facts=facts,
        first=file_name(1),
        cases=cases,
    )


def file_name(number: int) -> str:
    """The file of a page, from 1 on."""
    return f"page_{number}.html" if number > 1 else "index.html"


def case(
    index: int,
    entry: dict[str, Any],
    pixels: np.ndarray,
    probability: np.ndarray,
    files: dict[str, str],
) -> Case:
    """An image, the image with its outline, and what was found.

    Args:
        index: of the image among all of them, from 0 on.
        entry: its numbers.
        pixels: (H, W) uint8.
        probability: (H, W) in [0, 1], of the tumour; 0.5 and more within the mask.
        files: what was written of it, by name.
    """
    shrunk = max(1.0, max(pixels.shape) / _LARGEST_SIDE)
    height, width = (max(1, round(side / shrunk)) for side in pixels.shape)
    pixels, probability = (resize(image, height, width) for image in (pixels, probability))
    outline = drawing.path(drawing.outlines(probability.astype(np.float64), level=0.5))
    panels = (
        Panel("image", parts=_views(entry["views"], 1 / shrunk, (width, height))),
        Panel("prediction", outline, PREDICTION, is_filled=True),
    )
    source = drawing.pixels(pixels, "jpeg")
    identifier = _identifier(index)
    picture = Picture(entry["name"], f"{identifier}-pixels", source, width, height, panels)
    return Case(identifier, entry, picture, files)


def _views(views: Sequence[dict[str, int]], scale: float, size: tuple[int, int]) -> str:
    """The parts that were read, in a picture of this width and height; '' the whole image."""
    ends = ("left", "top", "right", "bottom")
    sides = [tuple(view[end] * scale for end in ends) for view in views]
    whole = [tuple(round(end) for end in each) == (0, 0, *size) for each in sides]
    return "" if all(whole) else drawing.boxes(sides)


def _banner(facts: dict[str, Any]) -> str:
    return BANNER if facts["model"]["trained_on"]["source"] == "phantom" else ""


def _links(count: int) -> dict[str, str]:
    """To the further pages of so many images."""
    return {
        f"{first + 1} to {min(first + CASES, count)}": file_name(first // CASES + 1)
        for first in range(CASES, count, CASES)
    }


def _listing(entries: Sequence[dict[str, Any]]) -> Listing:
    """A row an image, with a link to where it is shown."""
    return Listing(
        "All images",
        "Benign, malignant, normal: probabilities of the classes. Size of the largest lesion. "
        "Sure: no where the network says 'I do not know'.",
        ("image", "class", *CLASSES, "lesions", "longest", "shortest", "unit", "sure"),
        [_row(index, entry) for index, entry in enumerate(entries)],
        ("class", "sure"),
    )


def _row(index: int, entry: dict[str, Any]) -> list[Cell]:
    page = file_name(index // CASES + 1)
    lesions = entry["lesions"]
    longest, shortest, unit = _diameters(lesions[0]) if lesions else ("", "", "")
    return [
        Cell(entry["name"], link=f"{'' if index < CASES else page}#{_identifier(index)}"),
        Cell(entry["class"]),
        *(Cell(f"{entry['probabilities'][name]:.3f}") for name in CLASSES),
        Cell(str(len(lesions))),
        Cell(longest),
        Cell(shortest),
        Cell(unit),
        Cell(_SURE[entry["abstain"]], mark="wrong" if entry["abstain"] else ""),
    ]


def _identifier(index: int) -> str:
    return f"image-{index + 1}"


def _size(lesion: dict[str, Any]) -> str:
    longest, shortest, unit = _diameters(lesion)
    return f"{longest} x {shortest} {unit}"


def _diameters(lesion: dict[str, Any]) -> tuple[str, str, str]:
    """The longest and the shortest diameter, and their unit: mm where they are known."""
    unit = "pixels" if lesion["longest_diameter_mm"] is None else "mm"
    longest, shortest = (lesion[f"{name}_diameter_{unit}"] for name in ("longest", "shortest"))
    return f"{longest:.1f}", f"{shortest:.1f}", unit
