"""Images and outlines as inline SVG, for the pages."""

from __future__ import annotations

import base64
import io
from html import escape

import contourpy
import numpy as np
from PIL import Image

# Told apart with every kind of colour blindness, and both bright on grey tissue.
TRUTH, PREDICTION = "#1fe0d0", "#ff9f1c"
_LARGEST_SIDE = 256  # pixels; keeps the page of large images small


def outlines(values: np.ndarray, level: float) -> list[np.ndarray]:
    """Closed curves around the pixels above the level, in pixels from the upper left corner."""
    # A border of zeros closes the curves at the edge of the image.
    lines = contourpy.contour_generator(z=np.pad(values, 1)).lines(level)
    height, width = values.shape
    return [np.clip(np.asarray(line) - 0.5, 0, (width, height)) for line in lines]


def svg(content: str, width: int, height: int) -> str:
    """Wraps drawings in the pixels of an image."""
    return f'<svg viewBox="0 0 {width} {height}" aria-hidden="true">{content}</svg>'


def picture(image: np.ndarray, identifier: str, kind: str = "png") -> str:
    """An image (H, W) uint8 as an SVG element that `<use>` can repeat.

    Args:
        image: the pixels; shrunk where a side is longer than 256.
        identifier: unique in the page.
        kind: 'png', exact, or 'jpeg', a fifth of its size.
    """
    height, width = image.shape
    shown = Image.fromarray(image)
    shown.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    shown.save(content, kind, optimize=True)
    data = base64.b64encode(content.getvalue()).decode()
    return (
        f'<image id="{identifier}" width="{width}" height="{height}" '
        f'href="data:image/{kind};base64,{data}" preserveAspectRatio="none"/>'
    )


def embedded(content: str, alternative: str) -> str:
    """A whole SVG as a figure of a page, with what is read in its place."""
    data = base64.b64encode(content.encode()).decode()
    return (
        f'<figure><img alt="{escape(alternative)}" src="data:image/svg+xml;base64,{data}"></figure>'
    )


def path(curves: list[np.ndarray], colour: str, fill: str) -> str:
    """Outlines as an SVG element; '' where there are none."""
    if not curves:
        return ""
    steps = "".join(f"M{'L'.join(f'{x:.1f} {y:.1f}' for x, y in line)}Z" for line in curves)
    return (
        f'<path d="{steps}" stroke="{colour}" stroke-width="2" vector-effect="non-scaling-stroke"'
        f' stroke-linejoin="round" fill="{fill}" fill-opacity=".28" fill-rule="evenodd"/>'
    )
