"""Lossy JPEG of 8 bits within DICOM: colours as the stream itself means them.

The attribute Photometric Interpretation often says RGB of a stream that holds YCbCr. libjpeg goes
by the markers of the stream, and so do we; only a stream that tells nothing, and cannot be the
usual YCbCr, is taken at the attribute's word.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

_SOF = (0xC0, 0xC1, 0xC2)  # start of frame: baseline, extended, progressive
_JFIF, _ADOBE = 0xE0, 0xEE


def decode(stream: bytes, photometric: str) -> np.ndarray:
    """A frame as (H, W) or (H, W, 3) RGB uint8.

    Args:
        stream: of one frame.
        photometric: what the file says of it.
    """
    with Image.open(io.BytesIO(stream)) as image:
        if image.mode == "L":
            return np.asarray(image)
        if photometric == "RGB" and _is_bare_rgb(stream):
            image.draft("YCbCr", None)  # the components as they are: they are no YCbCr
            return np.asarray(image)
        return np.asarray(image.convert("RGB"))


def _is_bare_rgb(stream: bytes) -> bool:
    """Whether no marker tells of colours, and neither components nor sampling are YCbCr's."""
    place = 2
    while place + 4 <= len(stream) and stream[place] == 0xFF:
        marker, length = stream[place + 1], int.from_bytes(stream[place + 2 : place + 4], "big")
        body = stream[place + 4 : place + 2 + length]
        if marker == _JFIF and body.startswith(b"JFIF"):
            return False
        if marker == _ADOBE and body.startswith(b"Adobe") and body[11:12] in (b"\0", b"\1", b"\2"):
            return False
        if marker in _SOF:
            components = [body[6 + 3 * index : 9 + 3 * index] for index in range(body[5])]
            names = [component[0] for component in components]
            return names != [1, 2, 3] and len({component[1] for component in components}) == 1
        place += 2 + length
    return False
