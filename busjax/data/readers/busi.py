"""The official BUSI folder -> records.

Al-Dhabyani et al., Dataset of breast ultrasound images, Data in Brief 28, 2020, 104863.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import re
import warnings
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from etils import epath
from PIL import Image

from busjax.classes import CLASSES, NORMAL
from busjax.data.pixels import UNDECODABLE, decode, to_uint8
from busjax.data.records import Problem, Record, told
from busjax.errors import UserError, in_one_line
from busjax.files import PathLike

FOLDER = "Dataset_BUSI_with_GT"  # as the official archive names it

_STEM = re.compile(  # 'benign (1)', 'benign (1)_mask', 'benign (1)_mask_1'
    rf"(?P<id>(?P<class>{'|'.join(CLASSES)}) \((?P<number>\d+)\))(?P<mask>_mask(_\d+)*)?"
)


class BusiSource:
    """BUSI in its official layout, decoded and checked once, held in memory as uint8.

    Images become grey (ITU-R 601 luma, transparent pixels black); the masks of one image are
    merged into their union.

    Every image is a group of its own.

    Attributes:
        skipped: (file, reason) of all that was left out; empty with on_bad='error'.
    """

    name = "busi"

    def __init__(
        self,
        directory: PathLike,
        on_bad: str,
        keep: Collection[str] | None = None,
    ) -> None:
        """Reads, decodes and checks every image and mask.

        Args:
            directory: the folder with the class folders, or its parent.
            on_bad: 'error' (a bad file raises) or 'skip' (it is left out and listed).
            keep: ids to read; None: all.

        Raises:
            UserError: no BUSI folder; bad files (one message names them); unknown ids in `keep`.
        """
        root = find_folder(directory)
        entries, problems = _scan(root)
        if keep is not None:
            entries = _kept(entries, keep)
        self._records, unreadable = _read_all(root, entries)
        self.skipped: list[Problem] = problems + unreadable
        if self.skipped and on_bad == "error":
            raise UserError(told(f"BUSI: bad files in '{root}'", self.skipped))
        if not self._records:
            raise UserError(f"BUSI: not one usable image in '{root}'.")
        self.ids: tuple[str, ...] = tuple(record.id for record in self._records)
        self.labels: np.ndarray = np.array([record.label for record in self._records], np.int32)
        self.groups: tuple[str, ...] = tuple(record.group for record in self._records)
        self.description: str = self._describe()

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Record:
        return self._records[index]

    def _describe(self) -> str:
        counts = np.bincount(self.labels, minlength=len(CLASSES))
        classes = ", ".join(f"{count} {name}" for count, name in zip(counts, CLASSES, strict=True))
        skipped = f"; bad files left out: {len(self.skipped)}" if self.skipped else ""
        return f"BUSI: {len(self)} images ({classes}){skipped}"


def is_folder(directory: PathLike) -> bool:
    """Whether `find_folder` finds one."""
    return _root(directory) is not None


def _root(directory: PathLike) -> epath.Path | None:
    given = epath.Path(directory)
    for root in (given, given / FOLDER):
        if any((root / name).is_dir() for name in CLASSES):
            return root
    return None


def find_folder(directory: PathLike) -> epath.Path:
    """Returns the folder that holds the class folders: `directory` or the BUSI folder in it.

    Raises:
        UserError: neither holds a class folder.
    """
    if root := _root(directory):
        return root
    if not epath.Path(directory).exists():
        raise UserError(f"'{directory}' does not exist: give the BUSI folder")
    raise UserError(
        f"'{directory}' is no BUSI folder: expected the folders {', '.join(CLASSES)} in it,"
        f" with files such as 'benign/benign (1).png' and 'benign/benign (1)_mask.png'."
    )


def list_ids(directory: PathLike) -> list[str]:
    """The ids of a folder's images by the names of its files; nothing is decoded.

    Raises:
        UserError: no BUSI folder.
    """
    return [entry.id for entry in _scan(find_folder(directory))[0]]


@dataclasses.dataclass(frozen=True)
class _Entry:
    """The files of one image."""

    id: str
    label: int
    image: epath.Path
    masks: tuple[epath.Path, ...]


def _scan(root: epath.Path) -> tuple[list[_Entry], list[Problem]]:
    """Pairs images with their masks by name; classes in turn, numbers in natural order."""
    entries: list[_Entry] = []
    problems: list[Problem] = []
    for label, name in enumerate(CLASSES):
        of_class = _scan_class(root, label, problems)
        entries += of_class
        if not of_class:
            problems.append((f"{name}/", "the folder is missing or holds no image"))
    return entries, problems


def _scan_class(root: epath.Path, label: int, problems: list[Problem]) -> list[_Entry]:
    images: dict[tuple[int, str], epath.Path] = {}
    masks: dict[str, list[epath.Path]] = collections.defaultdict(list)
    for path in _pngs(root / CLASSES[label]):
        match = _STEM.fullmatch(path.stem)
        if match is None or match["class"] != CLASSES[label]:
            expected = f"'{CLASSES[label]} (1).png' or '{CLASSES[label]} (1)_mask.png'"
            problems.append((_relative(root, path), f"its name is not like {expected}"))
        elif match["mask"]:
            masks[match["id"]].append(path)
        else:
            images[int(match["number"]), match["id"]] = path
    entries = [
        _Entry(id, label, path, tuple(masks.pop(id, ())))
        for (_, id), path in sorted(images.items())
    ]
    for orphans in masks.values():
        problems += [(_relative(root, path), "a mask without its image") for path in orphans]
    return entries


def _pngs(folder: epath.Path) -> list[epath.Path]:
    """Returns the PNG files of a folder in a fixed order; hidden ones ('._a.png') are no images."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() == ".png" and not path.name.startswith(".")
    )


def _kept(entries: list[_Entry], keep: Collection[str]) -> list[_Entry]:
    unknown = sorted(set(keep) - {entry.id for entry in entries})
    if unknown:
        raise UserError(
            f"The curation list names images that the BUSI folder lacks ({len(unknown)}), such as"
            f" '{unknown[0]}': use the list and the folder of the same data set."
        )
    return [entry for entry in entries if entry.id in keep]


def _read_all(root: epath.Path, entries: list[_Entry]) -> tuple[list[Record], list[Problem]]:
    # Pillow only warns of images up to twice its limit; here each of them is a bad file.
    with warnings.catch_warnings(), ThreadPoolExecutor() as pool:
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        results = list(pool.map(functools.partial(_read, root), entries))
    records = [record for record, _ in results if record is not None]
    return records, [problem for _, problems in results for problem in problems]


def _read(root: epath.Path, entry: _Entry) -> tuple[Record | None, list[Problem]]:
    """Returns the record, or None and all that is wrong with its files."""
    problems: list[Problem] = []
    pixels: dict[epath.Path, np.ndarray] = {}
    for path in (entry.image, *entry.masks):
        try:
            pixels[path] = decode(path.read_bytes())
        except UNDECODABLE as error:
            problems.append((_relative(root, path), f"cannot be decoded ({in_one_line(error)})"))
    if problems:
        return None, problems

    image = pixels.pop(entry.image)
    for path, mask in pixels.items():
        if mask.shape != image.shape:
            sizes = f"{mask.shape[1]}x{mask.shape[0]}, its image {image.shape[1]}x{image.shape[0]}"
            problems.append((_relative(root, path), f"the mask is {sizes}"))
    if problems:
        return None, problems

    merged = np.zeros(image.shape, np.uint8)
    for mask in pixels.values():
        merged |= _inside(mask)
    reason = _contradiction(entry, lesion=bool(merged.any()))
    if reason:
        return None, [(_relative(root, entry.image), reason)]
    return Record(entry.id, to_uint8(image), merged, entry.label, group=entry.id), []


def _contradiction(entry: _Entry, lesion: bool) -> str | None:
    """Says how the class and the masks contradict each other, if they do."""
    if entry.label == NORMAL:
        return "the class is normal, but the mask is not empty" if lesion else None
    if not entry.masks:
        return "its mask is missing"
    return None if lesion else "its mask is empty"


def _inside(mask: np.ndarray) -> np.ndarray:
    """Returns 1 where the mask is above half of its largest value: 0/1, 0/255 and soft edges."""
    return (mask > mask.max() / 2).astype(np.uint8)


def _relative(root: epath.Path, path: epath.Path) -> str:
    return path.relative_to(root).as_posix()
