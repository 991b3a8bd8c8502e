"""Image files of any kind -> grey frames; DICOM with the size of its pixels."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path

from etils import epath
from PIL import Image

from busjax import files
from busjax.data import pictures
from busjax.data.pictures import UNDECODABLE
from busjax.data.pixels import Range
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
        if inputs.is_dicom(content) or path.suffix.lower() in inputs.DICOM:
            yield from dicom.read(content)
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            yield from _pictures(content, grey_range)
    except UserError:
        raise
    except Exception as error:  # of the many libraries that decode
        raise UserError(f"it cannot be read as an image ({in_one_line(error)})") from error


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
            except UNDECODABLE as error:
                if len(pages) == 1:
                    raise
                damaged.append(f"page {page + 1} {pictures.reason(error)}")
                continue
            yield Frame(page + 1 if len(pages) > 1 else 0, levels)
        if damaged:
            others = "; the other pages are read" if len(damaged) < len(pages) else ""
            raise UserError(f"{'; '.join(damaged)}{others}")
