"""Image files of any kind -> grey frames; DICOM with the size of its pixels."""

from __future__ import annotations

import io
import itertools
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from etils import epath
from PIL import Image

from busjax import files
from busjax.data import colour, pictures
from busjax.data.pixels import Range, eight_bits, grey
from busjax.errors import UserError, in_one_line
from busjax.inference import dicom, inputs
from busjax.inference.frame import Frame

_LARGEST = 100_000_000  # pixels of a frame; Pillow's own limit is of that order


def read(path: epath.Path, grey_range: Range | None = None) -> Iterator[Frame]:
    """Yields the frames of a file: of DICOM and TIFF all, of an animation the first.

    Args:
        path: of the file.
        grey_range: of pictures, see `pixels.to_uint8`; DICOM says it itself.

    Raises:
        UserError: it, or a part of it, cannot be read, with the reason; what can be read has been
            yielded.
    """
    # A pipe, which epath takes for a file, would be waited for.
    if not files.is_remote(path) and not Path(path).is_file():
        is_lost = Path(path).is_symlink() and not Path(path).exists()
        raise UserError("its link leads nowhere" if is_lost else "it is no regular file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"it cannot be read ({in_one_line(error)})") from error
    yield from decode(content, grey_range, path.suffix.lower() in inputs.DICOM)


def decode(
    content: bytes, grey_range: Range | None = None, is_dicom: bool = False
) -> Iterator[Frame]:
    """Yields the frames of a file's content; see `read`.

    Args:
        content: of the file.
        grey_range: as there.
        is_dicom: by its name; else its first bytes tell.
    """
    try:
        if is_dicom or inputs.is_dicom(content):
            yield from dicom.read(content)
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            yield from _pictures(content, grey_range)
    except UserError:
        raise
    except Exception as error:  # of the many libraries that decode
        raise UserError(f"it cannot be read as an image ({in_one_line(error)})") from error


def of_any(image: Any, grey_range: Range | None = None) -> Frame:
    """The frame that a caller of the library gives.

    Args:
        image: an array, of NumPy, JAX or another library; a Pillow image; the path of a file, or
            its content as bytes.
        grey_range: see `pixels.to_uint8`.

    Raises:
        UserError: it is no image, or a file of several frames.
    """
    if isinstance(image, Image.Image):
        try:
            levels = pictures.from_pillow(image, grey_range)
            return Frame(0, levels, coloured=colour.share(image))
        except Exception as error:
            raise UserError(f"a Pillow image {pictures.reason(error)}") from error
    if isinstance(image, str | os.PathLike | bytes | bytearray | memoryview):
        return _only_frame(image, grey_range)
    levels = eight_bits(image, grey_range)
    return Frame(0, grey(levels), coloured=colour.share(levels))


def _only_frame(image: Any, grey_range: Range | None) -> Frame:
    if isinstance(image, str | os.PathLike):
        path = files.locate(image)
        name = f"'{files.shown(path)}'"
        if not files.is_remote(path) and not os.path.lexists(path):
            raise UserError(f"{name} does not exist: give an image")
        frames = read(path, grey_range)
    else:
        name, frames = "the content that is given", decode(bytes(image), grey_range)
    try:
        first, *others = itertools.islice(frames, 2)
    except UserError as error:
        raise UserError(f"{name}: {error}") from error
    except ValueError as error:
        raise UserError(f"{name} holds no frame") from error
    if others:
        raise UserError(
            f"{name} holds several frames: read them by `busjax predict`, or give those of "
            "busjax.inference.images.read to Predictor.read"
        )
    return first


def _pictures(content: bytes, grey_range: Range | None) -> Iterator[Frame]:
    """The pages of a picture; those that are damaged are named once the others are read."""
    with Image.open(io.BytesIO(content)) as image:
        if image.width * image.height > _LARGEST:
            raise UserError(f"it has {image.width} x {image.height} pixels, too many to be one")
        pages = list(pictures.pages(image))
        damaged = []
        for page in pages:
            try:
                image.seek(page)
                levels = pictures.from_pillow(image, grey_range)
            except Exception as error:
                if len(pages) == 1:
                    raise
                damaged.append(f"page {page + 1} {pictures.reason(error)}")
                continue
            number = page + 1 if len(pages) > 1 else 0
            yield Frame(number, levels, coloured=colour.share(image))
        if damaged:
            others = "; the other pages are read" if len(damaged) < len(pages) else ""
            raise UserError(f"{'; '.join(damaged)}{others}")
