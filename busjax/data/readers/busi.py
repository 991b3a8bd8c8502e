"""The official BUSI folder -> records.

Al-Dhabyani et al., Dataset of breast ultrasound images, Data in Brief 28, 2020, 104863.
"""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Collection, Iterator

from etils import epath

from busjax import files
from busjax.classes import CLASSES
from busjax.data.pictures import SUFFIXES
from busjax.data.pixels import parse_range
from busjax.data.readers.held import NOTHING, HeldSource, check, in_threads
from busjax.data.records import Problem, Record
from busjax.errors import UserError, in_one_line
from busjax.files import PathLike

FOLDER = "Dataset_BUSI_with_GT"  # as the official archive names it

_UNREAD = (".webp", ".gif", ".jp2", ".heic", ".dcm", ".dicom", ".npy", ".pgm")  # pictures as well

_STEM = re.compile(  # 'benign (1)', 'benign (1)_mask', 'benign (1)_mask_1'
    rf"(?P<id>(?P<class>{'|'.join(CLASSES)}) \((?P<number>\d+)\))(?P<mask>_mask(_\d+)*)?"
)


class BusiSource(HeldSource):
    """BUSI in its official layout, decoded and checked once, held in memory as uint8.

    Images become grey (ITU-R 601 luma, transparent pixels black); the masks of one image are
    merged into their union. A class without images is told, and no error.

    Every image is a group of its own.
    """

    name = "busi"

    def __init__(
        self,
        directory: PathLike,
        on_bad: str,
        keep: Collection[str] | None = None,
        grey_range: str = "",
    ) -> None:
        """Reads, decodes and checks every image and mask.

        Args:
            directory: the folder with the class folders, or its parent.
            on_bad: 'error' (a bad file raises) or 'skip' (it is left out and listed).
            keep: ids to read; None: all.
            grey_range: `config.data.grey_range`.

        Raises:
            UserError: no BUSI folder; bad files (one message names them); unknown ids in `keep`.
        """
        root = find_folder(directory)
        found = _scan(root)
        entries = found.entries if keep is None else _kept(found.entries, keep)
        ends = parse_range(grey_range)
        images = in_threads(
            lambda entry: check(root, _record(entry), entry.image, entry.masks, ends), entries
        )
        super().__init__(images, found.problems, found.doubts, on_bad, f"'{root}'")
        skipped = f"; bad files left out: {len(self.skipped)}" if self.skipped else ""
        self.description = f"BUSI: {self.counted()}{skipped}"


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
    return [entry.id for entry in _scan(find_folder(directory)).entries]


@dataclasses.dataclass(frozen=True)
class _Entry:
    """The files of one image."""

    id: str
    label: int
    image: epath.Path
    masks: tuple[epath.Path, ...]


@dataclasses.dataclass
class _Found:
    """What a folder holds: images, files that cannot be used, and what a person should look at."""

    root: epath.Path
    entries: list[_Entry] = dataclasses.field(default_factory=list)
    problems: list[Problem] = dataclasses.field(default_factory=list)
    doubts: list[Problem] = dataclasses.field(default_factory=list)

    def bad(self, path: epath.Path, reason: str) -> None:
        self.problems.append((files.shown(path.relative_to(self.root)), reason))


def _scan(root: epath.Path) -> _Found:
    """Pairs images with their masks by name; classes in turn, numbers in natural order."""
    found = _Found(root)
    for label, name in enumerate(CLASSES):
        before = len(found.entries)
        _scan_class(found, label)
        if len(found.entries) == before:
            found.doubts.append((f"{name}/", "the folder is missing or holds no image"))
    return found


def _scan_class(found: _Found, label: int) -> None:
    name = CLASSES[label]
    images: dict[tuple[int, str], epath.Path] = {}
    masks: dict[str, list[epath.Path]] = collections.defaultdict(list)
    for path in _pictures(found, found.root / name):
        match = _STEM.fullmatch(path.stem)
        if match is None or match["class"] != name:
            expected = f"'{name} (1).png' or '{name} (1)_mask.png'"
            found.bad(path, f"its name is not like {expected}")
        elif match["mask"]:
            masks[match["id"]].append(path)
        elif (place := (int(match["number"]), match["id"])) in images:
            found.bad(path, f"'{images[place].name}' is the same image by its name")
        else:
            images[place] = path
    found.entries += [
        _Entry(id, label, path, tuple(masks.pop(id, ())))
        for (_, id), path in sorted(images.items())
    ]
    for orphans in masks.values():
        for path in orphans:
            found.bad(path, "a mask without its image")


def _pictures(found: _Found, folder: epath.Path) -> Iterator[epath.Path]:
    """The pictures of a class in a fixed order; hidden files ('._a.png') and notes are none."""
    if not folder.is_dir():
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        found.bad(folder, in_one_line(error))
        return
    for path in entries:
        suffix = path.suffix.lower()
        if files.is_of_system(path.name):
            continue
        if path.is_dir() and suffix not in SUFFIXES:
            found.bad(path, "a folder within a class is not read: put its images beside the others")
        elif suffix in SUFFIXES:
            yield path
        elif suffix in _UNREAD:
            found.bad(path, f"a {suffix} file is not read: save it as PNG")


def _kept(entries: list[_Entry], keep: Collection[str]) -> list[_Entry]:
    unknown = sorted(set(keep) - {entry.id for entry in entries})
    if unknown:
        raise UserError(
            f"The curation list names images that the BUSI folder lacks ({len(unknown)}), such as"
            f" '{unknown[0]}': use the list and the folder of the same data set."
        )
    return [entry for entry in entries if entry.id in keep]


def _record(entry: _Entry) -> Record:
    return Record(entry.id, NOTHING, NOTHING, entry.label, group=entry.id)
