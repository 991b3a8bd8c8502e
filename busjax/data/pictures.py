"""Picture files (PNG, JPEG, TIFF, BMP, ...) -> grey levels, as a person would see them."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator

import numpy as np
from PIL import Image

from busjax.data.pixels import OF_16_BITS, Range, luma, to_uint8
from busjax.errors import in_one_line

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")

# Tags of TIFF 6.0, section 8; of EXIF 2.3 the orientation.
_KIND, _BITS, _PHOTOMETRIC, _ORIENTATION, _FORMAT = 254, 258, 262, 274, 339
_WHITE_IS_ZERO, _UNSIGNED = 0, 1
_NO_PICTURE = 0b101  # bits of the kind: a reduced copy, or a mask of transparency
_DARK = 64  # of 255, as `pixels` has it for 16 bits

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Undecodable(ValueError):
    """A picture that cannot be decoded, or not without guessing; the text says why."""


@contextlib.contextmanager
def opened(content: bytes) -> Iterator[Image.Image]:
    """The picture of a file; whatever its decoding raises, of any type, becomes `Undecodable`."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            yield image
    except Exception as error:
        raise Undecodable(in_one_line(error) or type(error).__name__) from error


def decode(content: bytes, grey_range: Range | None = None) -> np.ndarray:
    """Returns the grey levels of a file that holds one picture, (H, W) uint8.

    Colours become grey by ITU-R 601 luma, transparent pixels black; it is turned upright as EXIF
    says.

    Args:
        content: of the file.
        grey_range: the levels that are black and white, where the file does not say it.

    Raises:
        Undecodable: it is no whole picture, several, or one whose range is not known.
    """
    with opened(content) as image:
        only_page(image)
        return from_pillow(image, grey_range)


def only_page(image: Image.Image) -> None:
    """Goes to the picture of a file; ValueError where there are several."""
    found = list(pages(image))
    if len(found) != 1:
        raise ValueError(f"it holds {len(found)} pictures: save the one that is meant by itself")
    image.seek(found[0])


def pages(image: Image.Image) -> Iterator[int]:
    """The pages of a TIFF that are pictures, from 0 on; of any other file the first.

    A page that cannot even be found is one as well, the last: to seek it raises.
    """
    if image.format != "TIFF":
        yield 0
        return
    page = 0
    while True:
        try:
            image.seek(page)
        except EOFError:
            return
        except Exception:
            yield page
            return
        if not _tag(image, _KIND, 0) & _NO_PICTURE:
            yield page
        page += 1


def from_pillow(image: Image.Image, grey_range: Range | None = None) -> np.ndarray:
    """Returns the grey levels of an open picture of any mode, upright; see `decode`."""
    deep = re.search(r";16", str(getattr(image, "tile", "")))  # known until the pixels are loaded
    values = raw(image)
    if isinstance(values, np.ndarray):
        levels = to_uint8(values, _declared(image), grey_range)
        return 255 - levels if is_negative(image) else levels
    levels = luma(values)
    if deep and 0 < levels.max() < _DARK:
        raise ValueError(
            "its colours have 16 bits, of which the upper ones are not used: save it as grey, "
            "and give grey_range, or with 8 bits"
        )
    return levels


def raw(image: Image.Image) -> np.ndarray | Image.Image:
    """The picture upright: as numbers where it holds more than 8 bits, else as it is."""
    image = _upright(image)
    if image.mode[0] not in "IF":
        return image
    values = np.asarray(image)
    is_long = values.dtype == np.int32 and _declared(image) is None
    if is_long and image.format == "TIFF" and _tag(image, _FORMAT, _UNSIGNED) == _UNSIGNED:
        return values.astype(np.uint32)  # Pillow knows no type for them
    return values


def is_negative(image: Image.Image) -> bool:
    """Whether white is zero in the numbers of a picture; where it holds 8 bits Pillow turns it."""
    return image.format == "TIFF" and _tag(image, _PHOTOMETRIC, 1) == _WHITE_IS_ZERO


def _upright(image: Image.Image) -> Image.Image:
    if image.format == "TIFF":  # Pillow turns it as it loads it
        return image
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # notes that are broken do no harm to the picture
        turn = None
    return image if turn is None else image.transpose(turn)


def _declared(image: Image.Image) -> Range | None:
    """The levels of black and white that a type of more than 8 bits has."""
    if image.mode == "F":
        return 0, 1
    if image.format != "TIFF":
        return OF_16_BITS
    bits = _tag(image, _BITS, 1)
    if bits > 16 or _tag(image, _FORMAT, _UNSIGNED) != _UNSIGNED:
        return None
    return 0, 2**bits - 1


def _tag(image: Image.Image, number: int, default: int) -> int:
    """A number of a TIFF; of several, one a channel, the first."""
    value = getattr(image, "tag_v2", {}).get(number, default)
    first = value[0] if isinstance(value, tuple) and value else value
    return int(first) if isinstance(first, int) else default


def reason(error: BaseException) -> str:
    """Why a picture cannot be decoded, in a few words."""
    return f"cannot be decoded ({in_one_line(error)})"
