"""Mask files of every convention -> where the lesion is."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from busjax.data.pictures import is_negative, only_page, opened, raw
from busjax.data.pixels import on_black

_IGNORED = (255, 65535)  # in an image of labels: the rim that VOC 2012 leaves out
_LABELS = 32  # the largest number that passes for a label; grey edges have larger ones
_SHADES = 8  # more indices than these, of a grey palette, are shades and no labels
_LOSSY = ("JPEG", "MPO", "JPEG2000", "WEBP")
_FAINT = 8  # a part of the brightest, below which a pixel is black
_NOISE = 0.01  # share of the lesion, up to which a grey part is noise
_EDGE = 9  # pixels, up to which an edge may be soft

_MOST = 0.5  # of the image or its border; a lesion covers less


def decode(content: bytes) -> np.ndarray:
    """Returns where the lesion is, (H, W) bool.

    An image of labels (0, 1, 2, ..., in a lossless file, or indexed) is one lesion wherever it is
    not 0; 255 beside labels is 'ignore', no lesion. Anything else is a lesion where it is above
    half of its brightest, and transparent pixels are none.

    Args:
        content: of the file.

    Raises:
        pictures.Undecodable: it is no whole picture, or several; a part of it is neither black
            nor white, so that half a mask might be kept.
    """
    with opened(content) as image:
        only_page(image)
        picture = raw(image)
        if isinstance(picture, np.ndarray):
            values = int(picture.max()) - picture if is_negative(image) else picture
            return _of_numbers(values, is_lossy=False)
        if picture.mode in ("P", "PA"):
            indices = _indices(picture)
            if indices is not None:
                return _of_labels(indices)
        return _of_numbers(_brightest(picture), is_lossy=image.format in _LOSSY)


def doubt(mask: np.ndarray) -> str | None:
    """What is odd about a mask (H, W), in words, so that a person should look; None: nothing."""
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]) > 0
    for name, share in (("image", float((mask > 0).mean())), ("border", float(border.mean()))):
        if share > _MOST:
            return f"its mask covers {share:.0%} of the {name}: is it inverted?"
    return None


def _indices(picture: Image.Image) -> np.ndarray | None:
    """The indices, transparent ones 0; None where the palette is a scale of greys."""
    indices = np.asarray(picture if picture.mode == "P" else picture.getchannel(0))
    transparent = picture.info.get("transparency")
    if isinstance(transparent, int):
        return np.where(indices == transparent, 0, indices)
    used = np.unique(indices)
    palette = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    order = np.unique(indices.ravel(), return_index=True)[1]
    colours = palette[order].astype(int)
    is_grey = bool((colours == colours[:, :1]).all())
    levels = colours[:, 0]
    is_same = is_grey and bool((levels == used).all())  # the index is the grey level
    is_scale = is_grey and len(used) > _SHADES and bool((np.diff(levels) > 0).all())
    return None if is_same or is_scale else indices


def _brightest(picture: Image.Image) -> np.ndarray:
    """Of each pixel the brightest channel: a dark red lesion is as sure as a white one."""
    picture = on_black(picture)
    if picture.mode in ("1", "L"):
        return np.asarray(picture.convert("L"))
    return np.asarray(picture.convert("RGB")).max(axis=-1)


def _of_numbers(values: np.ndarray, is_lossy: bool) -> np.ndarray:
    is_lesion: np.ndarray = values > 0
    if bool((is_lesion == (values == values.max())).all()):
        return is_lesion  # two values, as nearly every mask has; the others take longer
    positive = np.unique(values[is_lesion])
    labels = positive[~np.isin(positive, _IGNORED)]
    are_whole = bool((labels == np.round(labels)).all())
    if not is_lossy and labels.size and are_whole and labels.max() <= _LABELS:
        return _of_labels(values)
    inside: np.ndarray = values > values.max() / 2
    if problem := _grey_part(values, inside):
        raise ValueError(problem)
    return inside


def _of_labels(values: np.ndarray) -> np.ndarray:
    is_ignored = np.isin(values, _IGNORED)
    inside: np.ndarray = (values > 0) & ~is_ignored
    return inside if inside.any() else is_ignored


def _grey_part(values: np.ndarray, inside: np.ndarray) -> str | None:
    """Names a part that is neither black nor white, and too large to be a soft edge or noise."""
    faint = (values > values.max() / _FAINT).astype(np.uint8)
    count, parts = cv2.connectedComponents(faint, connectivity=8)
    bright = set(np.unique(parts[inside]).tolist())
    least = max(_EDGE, _NOISE * float(inside.sum()))
    areas = np.bincount(parts.ravel(), minlength=count)
    alone = [part for part in range(1, count) if part not in bright and areas[part] > least]
    between = faint & ~inside
    wide = cv2.erode(between, np.ones((_EDGE, _EDGE), np.uint8), borderValue=0)
    chosen = parts == alone[0] if alone else wide > 0
    if not chosen.any():
        return None
    level = float(np.median(values[chosen]))
    return (
        f"a part of the mask has the grey level {level:g} of {float(values.max()):g}, neither "
        "black nor white: save it as black and white, or as labels 1, 2, ..."
    )
