"""The pages of a folder of results, as the report of a run looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from busjax.classes import CLASSES
from busjax.data.pixels import resize
from busjax.evaluation.report import drawing
from busjax.evaluation.report.style import STYLE

CASES = 200  # images on a page: a browser opens some 10 MB at once
_LARGEST_SIDE = 512  # pixels, of what is drawn
_NAMED_LESIONS = 3  # of an image, at most; predictions.json has them all

BANNER = "This network was trained on synthetic phantoms: what it says of patients means nothing."


def page(
    facts: dict[str, Any],
    entries: Sequence[dict[str, Any]],
    cases: Sequence[str],
    unreadable: Sequence[dict[str, str]],
) -> str:
    """The first page: what was read with what, the files that could not be read, and images.

    Args:
        facts: of the network.
        entries: the numbers of all images.
        cases: the `case` of those that it shows, the first ones; the others have a `further` page.
        unreadable: 'file' and 'reason' of each.
    """
    counts = Counter(entry["class"] for entry in entries)
    found = ", ".join(f"{counts[name]} {name}" for name in CLASSES)
    failed = "".join(
        f"<li>{escape(entry['file'])}: {escape(entry['reason'])}</li>" for entry in unreadable
    )
    left_out = f"<section><h2>Could not be read</h2><ul>{failed}</ul></section>" if failed else ""
    about = (
        f'<p class="lede">Called {found}.</p><p class="quiet">Network {escape(facts["config"])}, '
        f"step {facts['checkpoint_step']}, trained on {escape(_images_of(facts))}. "
        f"{escape(facts['note'])}</p>{_links(len(entries))}"
    )
    return _html(facts, f"{len(entries)} images", about, left_out, cases)


def further(facts: dict[str, Any], number: int, cases: Sequence[str]) -> str:
    """Page `number`, from 2 on, with the next images."""
    first, last = CASES * (number - 1) + 1, CASES * (number - 1) + len(cases)
    about = f'<p class="quiet">{escape(facts["note"])} <a href="{file_name(1)}">All images</a></p>'
    return _html(facts, f"Images {first} to {last}", about, "", cases)


def file_name(number: int) -> str:
    """The file of a page, from 1 on."""
    return f"page_{number}.html" if number > 1 else "index.html"


def _links(count: int) -> str:
    """To the further pages of so many images."""
    links = [
        f'<a href="{file_name(first // CASES + 1)}">{first + 1} to {min(first + CASES, count)}</a>'
        for first in range(CASES, count, CASES)
    ]
    if not links:
        return ""
    return f'<p class="quiet">Here are images 1 to {CASES}; further ones: {", ".join(links)}.</p>'


def _html(
    facts: dict[str, Any], heading: str, about: str, before: str, cases: Sequence[str]
) -> str:
    phantom = facts["trained_on"].get("source") == "phantom"
    banner = f'<div class="banner" role="note">{BANNER}</div>' if phantom else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>busjax: {heading.lower()}</title><style>{STYLE}</style></head><body>{banner}"
        '<main><header><p class="eyebrow">busjax: segmentation and classification of breast '
        f"ultrasound</p><h1>{heading}</h1>{about}</header>{before}"
        '<section class="long"><h2>Images</h2>'
        f"{''.join(cases)}</section></main></body></html>\n"
    )


def _images_of(facts: dict[str, Any]) -> str:
    """What the network was trained on, without the hint how to train on other images."""
    return facts["trained_on"].get("description", "unknown images").partition(";")[0]


def case(entry: dict[str, Any], pixels: np.ndarray, probability: np.ndarray) -> str:
    """An image, the image with its outline, and what was found."""
    shrunk = max(1.0, max(pixels.shape) / _LARGEST_SIDE)
    height, width = (max(1, round(side / shrunk)) for side in pixels.shape)
    pixels, probability = (resize(image, height, width) for image in (pixels, probability))
    identifier = escape(f"image {entry['name']}", quote=True).replace(" ", "-")
    outlines = drawing.outlines(probability.astype(np.float64), level=0.5)
    curves = drawing.path(outlines, drawing.PREDICTION, fill=drawing.PREDICTION)
    panels = {
        "image": drawing.picture(pixels, identifier, "jpeg"),
        "prediction": f'<use href="#{identifier}"/>{curves}',
    }
    figures = "".join(
        f'<figure role="img" aria-label="{name} of {escape(entry["name"])}">'
        f"{drawing.svg(content, width, height)}<figcaption>{name}"
        f"{'' if outlines or name == 'image' else ': no lesion'}</figcaption></figure>"
        for name, content in panels.items()
    )
    probabilities = ", ".join(
        f"{name} {value:.0%}" for name, value in entry["probabilities"].items()
    )
    shown, more = entry["lesions"][:_NAMED_LESIONS], len(entry["lesions"]) - _NAMED_LESIONS
    sizes = "".join(f"<p>{_size(lesion)}</p>" for lesion in shown)
    if more > 0:
        sizes += f'<p class="quiet">and {more} smaller</p>'
    return (
        f'<article class="case"><div class="panels two">{figures}</div><div class="about"><div>'
        f'<p>{escape(entry["name"])}</p><p class="dice">{entry["class"]}</p>'
        f'<p class="quiet">{probabilities}</p></div><div>{sizes}</div></div></article>'
    )


def _size(lesion: dict[str, Any]) -> str:
    unit = "pixels" if lesion["longest_diameter_mm"] is None else "mm"
    longest, shortest = (lesion[f"{name}_diameter_{unit}"] for name in ("longest", "shortest"))
    return f"lesion of {longest:.1f} x {shortest:.1f} {unit}"
