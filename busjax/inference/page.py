"""The page of a folder of results, as the report of a run looks."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import Any

import numpy as np

from busjax.classes import CLASSES
from busjax.data.pixels import resize
from busjax.evaluation.report import drawing
from busjax.evaluation.report.style import STYLE

_LARGEST_SIDE = 512  # pixels, of what is drawn
_NAMED_LESIONS = 3  # of an image, at most; predictions.json has them all

BANNER = "This network was trained on synthetic phantoms: what it says of patients means nothing."


def page(
    facts: dict[str, Any],
    images: list[tuple[dict[str, Any], str]],
    unreadable: list[dict[str, str]],
) -> str:
    """The whole page: what was read with what, the images, the files that could not be read.

    Args:
        facts: of the network.
        images: of each its numbers, and its `case`.
        unreadable: 'file' and 'reason' of each.
    """
    phantom = facts["trained_on"].get("source") == "phantom"
    banner = f'<div class="banner" role="note">{BANNER}</div>' if phantom else ""
    counts = Counter(entry["class"] for entry, _ in images)
    found = ", ".join(f"{counts[name]} {name}" for name in CLASSES)
    failed = "".join(
        f"<li>{escape(entry['file'])}: {escape(entry['reason'])}</li>" for entry in unreadable
    )
    left_out = f"<section><h2>Could not be read</h2><ul>{failed}</ul></section>" if failed else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>busjax: {len(images)} images</title><style>{STYLE}</style></head><body>{banner}"
        '<main><header><p class="eyebrow">busjax: segmentation and classification of breast '
        f'ultrasound</p><h1>{len(images)} images</h1><p class="lede">Called {found}.</p>'
        f'<p class="quiet">Network {escape(facts["config"])}, step {facts["checkpoint_step"]}, '
        f"trained on {escape(_images_of(facts))}. "
        f"{escape(facts['note'])}</p></header>{left_out}"
        '<section class="long"><h2>Images</h2>'
        f"{''.join(case for _, case in images)}</section></main></body></html>\n"
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
