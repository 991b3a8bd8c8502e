"""Image files of any kind -> grey frames; DICOM with the size of its pixels."""

from __future__ import annotations

import dataclasses
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from etils import epath
from PIL import Image

from busjax import files
from busjax.data import pictures
from busjax.data.pictures import UNDECODABLE
from busjax.data.pixels import Range
from busjax.errors import UserError, in_one_line
from busjax.inference import dicom
from busjax.inference.frame import Frame

SUFFIXES = (*pictures.SUFFIXES, ".dcm", ".dicom")
_MASK = re.compile(r"(.+)_mask(_\d+)*")  # an annotation, as BUSI names it
_MAGIC = b"DICM"  # at byte 128 of a DICOM file, which often has no suffix
_LARGEST = 100_000_000  # pixels of a frame; Pillow's own limit is of that order


@dataclasses.dataclass(frozen=True)
class File:
    """A file to read, and the name under which its results go, without a suffix."""

    path: epath.Path
    name: str


def collect(paths: Sequence[epath.Path], without: epath.Path | None = None) -> list[File]:
    """Finds the images: files as they are given, and all that lie in folders, at any depth.

    BUSI's annotations ('... _mask.png' beside its image) and hidden files are no images. Two files
    that differ by their suffix only bear it in their names. What lies in `without`, earlier
    results, is left out.

    Raises:
        UserError: nothing there, or no image.
    """
    images: list[tuple[epath.Path, str]] = []
    for path in paths:
        if not path.exists():
            raise UserError(f"'{path}' does not exist: give image files or folders of them")
        if path.is_dir():
            inside = [file for file in _inside(path) if without not in file.parents]
            images += [(file, file.relative_to(path).as_posix()) for file in inside]
        else:
            images.append((path, path.name))
    if not images:
        raise UserError(
            f"no image in {', '.join(map(str, paths))}: expected {', '.join(SUFFIXES)} or DICOM"
        )
    return _named(images)


def _inside(folder: epath.Path) -> Iterator[epath.Path]:
    """The images of a folder by name, then those of the folders in it."""
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    folders = [path for path in entries if path.is_dir()]
    yield from (path for path in entries if path not in folders and _is_image(path))
    for path in folders:
        yield from _inside(path)


def _named(images: list[tuple[epath.Path, str]]) -> list[File]:
    stems = [re.sub(r"\.[^./]*$", "", name) for _, name in images]
    files, taken = [], set()
    for (path, name), stem in zip(images, stems, strict=True):
        unique = stem if stems.count(stem) == 1 else name.replace(".", "_")
        while unique in taken:  # the same name in two folders
            unique += "_"
        taken.add(unique)
        files.append(File(path, unique))
    return files


def _is_image(path: epath.Path) -> bool:
    if match := _MASK.fullmatch(path.stem):
        return not (path.parent / f"{match[1]}{path.suffix}").exists()
    return path.suffix.lower() in SUFFIXES or (not path.suffix and _is_dicom(path))


def _is_dicom(path: epath.Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == _MAGIC


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
        raise UserError("it is no regular file")
    try:
        content = path.read_bytes()
        if content[128:132] == _MAGIC or path.suffix.lower() in (".dcm", ".dicom"):
            yield from dicom.read(content)
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            yield from _pictures(content, grey_range)
    except UNDECODABLE as error:
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
