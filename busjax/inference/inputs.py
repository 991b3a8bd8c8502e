"""Files and folders as they are given -> the image files in them, each with a name of its own."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import PurePath

from etils import epath

from busjax import files
from busjax.data import pictures
from busjax.errors import UserError, in_one_line

DICOM = (".dcm", ".dicom", ".ima")
# What Pillow reads as well, and what a clinic may take for an image: it is then named.
_READ = (".webp", ".gif", ".jp2")
_OTHERS = (
    *(*_READ, ".j2k", ".jpx", ".jfif", ".jpe", ".pgm", ".ppm", ".pbm", ".pnm"),
    *(".tga", ".avif", ".heic", ".heif", ".npy", ".nii"),
)
SUFFIXES = (*pictures.SUFFIXES, *DICOM, *_OTHERS)

_MAGIC = b"DICM"  # at byte 128 of a DICOM file, whatever its name
# How one begins that lacks those bytes: with the first elements of group 0002 or 0008.
_FIRST = tuple(
    group + element
    for group, elements in (
        (b"\x02\0", (b"\0\0", b"\1\0", b"\2\0")),
        (b"\x08\0", (b"\0\0", b"\1\0", b"\5\0", b"\x08\0", b"\x12\0", b"\x16\0")),
    )
    for element in elements
)
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"GIF8")  # how files of Pillow begin
_MASK = re.compile(r"(.+)_mask(_\d+)*")  # an annotation, as BUSI names it
# Folders of annotations, and of the images beside them, as published sets name them.
_ANNOTATIONS, _IMAGES = ("mask", "masks", "gt"), ("image", "images", "original")
_FRAME = re.compile(r"(.+)_frame_\d{4,}")  # as the results of a frame are named
_LONGEST = 180  # bytes of a name, to which results add their own


@dataclasses.dataclass(frozen=True)
class File:
    """A file to read.

    Attributes:
        path: of the file.
        name: under which its results go, without a suffix; no two files have the same.
        is_given: by itself, not as a part of a folder.
    """

    path: epath.Path
    name: str
    is_given: bool = False


@dataclasses.dataclass
class Inputs:
    """What is to be read, and the (path, reason) of what cannot even be looked into."""

    files: list[File]
    unreadable: list[tuple[epath.Path, str]]


def is_dicom(content: bytes) -> bool:
    """Whether a file begins as DICOM does."""
    return content[128:132] == _MAGIC or content.startswith(_FIRST)


def collect(paths: Sequence[epath.Path], without: epath.Path | None = None) -> Inputs:
    """Finds the images: files as they are given, and all that lie in folders, at any depth.

    Annotations ('... _mask.png' beside its image, a folder 'Masks' beside 'Images'), hidden files,
    recycle bins and thumbnails are no images. DICOM is known by its content. What lies in
    `without`, earlier results, is left out. A folder is looked into once, whatever links lead to
    it, and so is a file that is given twice.

    Raises:
        UserError: nothing there, or no image.
    """
    search = _Search(without)
    for path in paths:
        if not path.exists() and not _is_link(path):
            raise UserError(f"'{files.shown(path)}' does not exist: give image files or folders")
        if path.is_dir():
            search.folder(path, "")
        else:
            search.add(path, path.name, is_given=True)
    if not search.found and not search.unreadable:
        raise UserError(
            f"no image in {', '.join(files.shown(path) for path in paths)}: expected "
            f"{', '.join((*pictures.SUFFIXES, *_READ, *DICOM))} or DICOM of any name"
        )
    return Inputs(_named(search.found), search.unreadable)


class _Search:
    def __init__(self, without: epath.Path | None) -> None:
        self.found: list[tuple[epath.Path, str, bool]] = []  # path, name, whether it is given
        self.unreadable: list[tuple[epath.Path, str]] = []
        self._without = None if without is None else _real(without)
        self._seen: set[str] = set()

    def add(self, path: epath.Path, name: str, is_given: bool = False) -> None:
        """Keeps a file, once."""
        if self._is_new(_real(path.parent) + "/" + path.name):
            self.found.append((path, name, is_given))

    def folder(self, folder: epath.Path, name: str) -> None:
        """Keeps the images of a folder by name, then those of the folders in it."""
        real = _real(folder)
        if real == self._without or not self._is_new(real):
            return
        try:
            entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
            folders = {path for path in entries if path.is_dir()}
        except OSError as error:
            self.unreadable.append((folder, in_one_line(error)))
            return
        stems = {path.stem for path in entries if path.suffix.lower() in SUFFIXES}
        for path in entries:
            if path not in folders and _is_image(path, stems):
                self.add(path, f"{name}{path.name}")
        beside_images = any(path.name.lower() in _IMAGES for path in folders)
        for path in sorted(folders):
            is_annotation = beside_images and path.name.lower() in _ANNOTATIONS
            if not is_annotation and not files.is_of_system(path.name):
                self.folder(path, f"{name}{path.name}/")

    def _is_new(self, key: str) -> bool:
        is_new = key not in self._seen
        self._seen.add(key)
        return is_new


def _real(path: epath.Path) -> str:
    return str(path) if files.is_remote(path) else os.path.realpath(path)


def _is_link(path: epath.Path) -> bool:
    return not files.is_remote(path) and os.path.islink(path)


def _is_image(path: epath.Path, stems: set[str]) -> bool:
    if (match := _MASK.fullmatch(path.stem)) and path.suffix.lower() in SUFFIXES:
        return match[1] not in stems
    return path.suffix.lower() in SUFFIXES or _begins_as_image(path)


def _begins_as_image(path: epath.Path) -> bool:
    """By its first bytes; what cannot be opened counts, so that it is named.

    A file with a suffix that is none of an image counts where it is DICOM alone.
    """
    if not files.is_remote(path) and not os.path.isfile(path):
        return os.path.islink(path) and not os.path.exists(path)  # a pipe or socket is no image
    try:
        with path.open("rb") as file:
            start = file.read(132)
        return is_dicom(start) or (not path.suffix and start.startswith(_PICTURES))
    except OSError:
        return True


def _named(found: Sequence[tuple[epath.Path, str, bool]]) -> list[File]:
    """Gives each file a name: its own without the suffix, or with it where it is not the only."""
    stems = [_fitting(_without_suffix(name)) for _, name, _ in found]
    counts = collections.Counter(stem.casefold() for stem in stems)
    named, taken = [], set[str]()
    for (path, name, is_given), stem in zip(found, stems, strict=True):
        unique = stem if counts[stem.casefold()] == 1 else _fitting(name.replace(".", "_"))
        while _collides(unique, counts, taken):
            unique += "_"
        taken.add(unique.casefold())
        named.append(File(path, unique, is_given))
    return named


def _collides(name: str, counts: collections.Counter[str], taken: set[str]) -> bool:
    """Whether another file has the name, or may have it for one of its frames."""
    frame = _FRAME.fullmatch(name.casefold())
    return name.casefold() in taken or (frame is not None and frame[1] in counts)


def _without_suffix(name: str) -> str:
    suffix = PurePath(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in SUFFIXES else name


def _fitting(name: str) -> str:
    """A name that every disk takes: UTF-8, not too long, no folder that is named as a result."""
    *folders, last = (_fitting_part(part) for part in name.split("/"))
    return "/".join(
        [*(f"{part}_" if part.lower().endswith(".png") else part for part in folders), last]
    )


def _fitting_part(part: str) -> str:
    part = "".join(f"%{ord(c) - 0xDC00:02X}" if "\udc80" <= c <= "\udcff" else c for c in part)
    part = part.replace("\\", "_").replace(":", "_")
    content = part.encode()
    if len(content) <= _LONGEST:
        return part
    digest = hashlib.blake2b(content, digest_size=4).hexdigest()
    return f"{content[: _LONGEST - 9].decode(errors='ignore')}~{digest}"
