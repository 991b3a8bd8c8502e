"""Lists and audits of a set, applied: the images that stay, and those that belong together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from etils import epath

from busjax import files
from busjax.config import Data, Table
from busjax.data.curation import Curation, read_list
from busjax.data.readers.selected import SelectedSource
from busjax.data.records import RecordSource
from busjax.errors import UserError
from busjax.files import PathLike

Read = Callable[[Collection[str] | None], RecordSource]
"""Reads a set; given ids, it may leave out the others, which then need not be sound."""


def curated(
    data: Data,
    directory: epath.Path,
    cwd: PathLike,
    ids: Callable[[], Sequence[str]],
    read: Read,
    table: Table | None = None,
) -> RecordSource:
    """The images of a set that `config.data.curation` keeps, in the groups of `config.data.groups`.

    Args:
        data: `config.data`.
        directory: of the set.
        cwd: the working directory, to which relative paths refer.
        ids: gives those of the set.
        read: reads it.
        table: of the set; None: it is a BUSI folder.

    Raises:
        UserError: no such list, or one of other images.
    """
    keep, groups = None, {}
    if data.curation != "none":
        curation = _read(data.curation, directory, cwd, ids, table, data.grey_range)
        keep, groups = curation.keep, curation.groups
    if data.groups:
        groups = _read(data.groups, directory, cwd, ids, table, data.grey_range).groups
        if not groups:
            raise UserError(
                f"config.data.groups: '{data.groups}' is a list without groups;"
                " give the letter's list (ID;Filename;Objection;Annotation), or an audit."
            )
    source = read(keep)
    if keep is None and not groups:
        return source
    return SelectedSource(source, source.ids if keep is None else keep, groups)


def _read(
    given: str,
    directory: epath.Path,
    cwd: PathLike,
    ids: Callable[[], Sequence[str]],
    table: Table | None,
    grey_range: str,
) -> Curation:
    """A list made by hand, or an audit: a file, or 'audit', which is made of the folder itself."""
    if given == "audit":
        from busjax.data.audit.cache import cached  # which few need

        path = cached(directory, table, grey_range)
    else:
        path = files.locate(given, cwd)
    curation = read_list(path)
    if curation.known and (new := sorted(set(ids()) - curation.known)):
        raise UserError(
            f"'{path}' is the audit of other images: it lacks {len(new)} of the folder's, such as "
            f"'{new[0]}'; audit the folder again"
        )
    return curation
