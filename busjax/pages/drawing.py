"""Images and outlines as the pages hold them: data URIs and SVG paths."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Iterable, Sequence

import contourpy
import numpy as np
from PIL import Image

# Told apart with every kind of colour blindness, and both bright on grey tissue.
TRUTH, PREDICTION = "#1fe0d0", "#ff9f1c"
_LARGEST_SIDE = 256  # pixels; keeps the page of large images small


@dataclasses.dataclass(frozen=True)
class Panel:
    """One view of an image.

    Attributes:
        name: 'image', 'truth' or 'prediction'.
        path: outlines, see `path`; '' none.
        colour: of the outlines, such as '#ff9f1c'.
        is_filled: whether the inside is tinted as well.
        parts: outlines of the parts that were read, see `path`; '' the whole.
    """

    name: str
    path: str = ""
    colour: str = "none"
    is_filled: bool = False
    parts: str = ""

    @property
    def caption(self) -> str:
        if self.parts:
            return f"{self.name}; the dashed part was read"
        return self.name if self.path or self.name == "image" else f"{self.name}: no lesion"


@dataclasses.dataclass(frozen=True)
class Picture:
    """An image beside itself, with outlines; its pixels are held once.

    Attributes:
        name: of the image, for those who cannot see it.
        identifier: unique in the page.
        source: data URI of the pixels.
        width, height: of the image, in the pixels that the outlines are in.
        panels: the views; the first shows the image alone.
    """

    name: str
    identifier: str
    source: str
    width: int
    height: int
    panels: tuple[Panel, ...]


@dataclasses.dataclass(frozen=True)
class Chart:
    """A drawn chart.

    Attributes:
        alternative: what is read in its place.
        source: data URI of the SVG.
        title: above it; '' none.
    """

    alternative: str
    source: str
    title: str = ""


def chart(svg: str, alternative: str, title: str = "") -> Chart:
    """A whole SVG as a chart of a page."""
    return Chart(alternative, _data_uri("svg+xml", svg.encode()), title)


def outlines(values: np.ndarray, level: float) -> list[np.ndarray]:
    """Closed curves around the pixels above the level, in pixels from the upper left corner."""
    # A border of zeros closes the curves at the edge of the image.
    lines = contourpy.contour_generator(z=np.pad(values, 1)).lines(level)
    height, width = values.shape
    return [np.clip(np.asarray(line) - 0.5, 0, (width, height)) for line in lines]


def path(curves: list[np.ndarray]) -> str:
    """Outlines, each (points, 2) x, y, as the path of an SVG; '' where there are none."""
    return "".join(f"M{'L'.join(f'{x:.1f} {y:.1f}' for x, y in line)}Z" for line in curves)


def boxes(sides: Iterable[Sequence[float]]) -> str:
    """Rectangles, each left, top, right, bottom, as the path of an SVG."""
    return "".join(f"M{x:.1f} {y:.1f}H{right:.1f}V{end:.1f}H{x:.1f}Z" for x, y, right, end in sides)


def pixels(image: np.ndarray, kind: str = "png") -> str:
    """The data URI of an image (H, W) or (H, W, 3) uint8, shrunk where a side is over 256 pixels.

    Args:
        image: the pixels.
        kind: 'png', exact, or 'jpeg', a fifth of its size.
    """
    shown = Image.fromarray(image)
    shown.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    shown.save(content, kind, optimize=True)
    return _data_uri(kind, content.getvalue())


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
