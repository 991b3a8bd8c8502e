"""The configuration -> the source of the records: BUSI where it is found, else phantoms."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence

from etils import epath

from busjax import files
from busjax.config import Data
from busjax.data.curated import curated
from busjax.data.readers import busi
from busjax.data.readers.extended import ExtendedSource, check_apart
from busjax.data.readers.joined import JoinedSource
from busjax.data.readers.phantom import PhantomSource
from busjax.data.readers.published import PublishedSource
from busjax.data.readers.sets import SETS, recognised
from busjax.data.readers.table import TableSource
from busjax.data.records import RecordSource
from busjax.errors import UserError
from busjax.files import PathLike

_HOW_TO_GIVE_DATA = (
    "to use BUSI, set --config.data.dir=<folder> or the environment variable BUSI_DIR, or put it"
    f" into data/{busi.FOLDER}"
)


def open_source(data: Data, cwd: PathLike) -> RecordSource:
    """Opens the source that the configuration asks for, by `READERS`.

    BUSI is looked for in `data.dir`, else in $BUSI_DIR, else in data/Dataset_BUSI_with_GT. A
    folder that is given must be a BUSI folder: only where none is given and none is found does
    'auto' fall back to phantoms, and `advice` says so. Several folders, joined by ',', are
    one set; with 'auto' each of them is a BUSI folder or that of a table, and lists and audits are
    for the BUSI folders among them. Those of `data.extra` are added for training alone.

    Args:
        data: `config.data`.
        cwd: the working directory, to which relative paths refer.

    Raises:
        UserError: no (sound) BUSI folder or list where one is asked for.
    """
    if data.extra:
        own = open_source(data.but(extra=""), cwd)
        further = data.but(dir=data.extra, extra="", source="auto", curation="none", groups="")
        name = files.locate(data.dir, cwd).name if data.dir else own.name
        added = files.locate(data.extra, cwd).name, _open_extra(further, cwd)
        source = ExtendedSource((name, own), added)
        check_apart(source)
        return source
    if data.source in ("auto", "busi", "table"):
        directories = files.several(data.dir, cwd)
        if len(directories) > 1:
            return _open_several(data, directories, cwd)
    return READERS[data.source](data, cwd)


def advice(data: Data, source: RecordSource) -> str:
    """How to use BUSI, where it was looked for and phantoms were opened instead; else ''."""
    if data.source != "auto" or source.name != "phantom":
        return ""
    return f"no BUSI data was found: {_HOW_TO_GIVE_DATA}"


def _open_auto(data: Data, cwd: PathLike) -> RecordSource:
    if (directory := _find_busi(data, cwd)) is not None:
        if key := recognised(directory):
            return _open_published(key, data, cwd)
        return _read_busi(data, directory, cwd)
    if data.curation != "none" or data.groups:
        raise UserError(
            "config.data.curation and config.data.groups are for BUSI, but no BUSI data was"
            f" found: {_HOW_TO_GIVE_DATA}."
        )
    return _open_phantom(data, cwd)


def _open_phantom(data: Data, cwd: PathLike) -> PhantomSource:
    return PhantomSource(data.phantom_count, data.phantom_seed, data.image_size)


def _open_busi(data: Data, cwd: PathLike) -> RecordSource:
    directory = _find_busi(data, cwd)
    if directory is None:
        raise UserError(f"No BUSI data found: {_HOW_TO_GIVE_DATA}.")
    return _read_busi(data, directory, cwd)


def _read_busi(data: Data, directory: epath.Path, cwd: PathLike) -> RecordSource:
    return curated(
        data,
        directory,
        cwd,
        ids=lambda: busi.list_ids(directory),
        read=lambda keep: busi.BusiSource(directory, data.on_bad, keep, data.grey_range),
    )


def _find_busi(data: Data, cwd: PathLike) -> epath.Path | None:
    """Returns the folder that is given or found; whether it is sound is for BusiSource to say."""
    given = data.dir or os.environ.get("BUSI_DIR")
    if given:
        return files.locate(given, cwd)
    usual = epath.Path(cwd) / "data" / busi.FOLDER
    return usual if usual.is_dir() else None


def _open_tfds(data: Data, cwd: PathLike) -> RecordSource:
    if data.curation != "none" or data.groups:
        raise UserError(
            "config.data.curation and config.data.groups are for the BUSI folder: with "
            "config.data.source=tfds choose the part by config.data.tfds, such as busi/letter_529."
        )
    # Imported where it is asked for: it takes a second.
    from busjax.data.readers.tfds_source import TfdsSource

    raw = files.locate(data.dir or os.environ.get("BUSI_DIR") or "data", cwd)
    prepared = os.fspath(files.locate(data.tfds_dir, cwd)) if data.tfds_dir else ""
    return TfdsSource(data.tfds, prepared, raw)


def _open_table(data: Data, cwd: PathLike) -> RecordSource:
    if not data.dir:
        raise UserError("config.data.source=table needs config.data.dir, the folder of the table")
    directory = files.locate(data.dir, cwd)
    source = TableSource(directory, data.table, data.on_bad, data.grey_range)
    given = {data.curation, data.groups} - {"none", ""}
    if any(name != "audit" and not name.endswith(".json") for name in given):
        raise UserError(
            "config.data.curation and config.data.groups: lists made by hand are for the BUSI "
            "folder; with config.data.source=table give 'audit' or the file of an audit, and let "
            "config.data.table.group name the column of the case"
        )
    return curated(
        data, directory, cwd, ids=lambda: source.ids, read=lambda keep: source, table=data.table
    )


def _open_extra(data: Data, cwd: PathLike) -> RecordSource:
    try:
        return open_source(data, cwd)
    except UserError as error:
        raise UserError(str(error).replace("config.data.dir", "config.data.extra")) from error


def _open_several(data: Data, directories: Sequence[str], cwd: PathLike) -> RecordSource:
    sources: list[tuple[str, RecordSource]] = []
    seen: dict[str, str] = {}
    for part in directories:
        if not part.strip():
            raise UserError(f"config.data.dir='{data.dir}' has an empty part")
        directory = files.locate(part.strip(), cwd)
        if not directory.exists():
            raise UserError(f"config.data.dir: '{directory}' does not exist")
        same = str(directory) if files.is_remote(directory) else os.path.realpath(directory)
        if (first := seen.setdefault(same, part)) != part:
            raise UserError(
                f"config.data.dir names one folder twice, as '{first}' and '{part}': its images "
                "would lie in training and test"
            )
        one = data.but(dir=part.strip())
        if data.source == "auto":
            kind = "busi" if busi.is_folder(directory) else recognised(directory) or "table"
            one = one.but(source=kind)
        if one.source != "busi":
            one = one.but(curation="none", groups="")
        sources.append((directory.name, READERS[one.source](one, cwd)))
    return JoinedSource(sources)


def _open_published(key: str, data: Data, cwd: PathLike) -> PublishedSource:
    given = data.dir or os.environ.get("BUSI_DIR", "")
    if not given:
        raise UserError(f"config.data.source={key} needs config.data.dir, the folder of the set")
    if data.curation != "none" or data.groups:
        raise UserError(
            f"config.data.curation and config.data.groups are for BUSI and for tables, not for "
            f"{SETS[key].title}: it tells its patients itself"
        )
    return PublishedSource(key, files.locate(given, cwd), data.on_bad, data.grey_range)


# A new kind of set is a file in `readers/` and a line here.
READERS: dict[str, Callable[[Data, PathLike], RecordSource]] = {
    "auto": _open_auto,
    "busi": _open_busi,
    "phantom": _open_phantom,
    "table": _open_table,
    "tfds": _open_tfds,
    **{key: functools.partial(_open_published, key) for key in SETS},
}
