"""The audit of a folder, made once and kept until a file of the folder changes."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Iterator

from etils import epath
from tqdm import tqdm

from busjax import files
from busjax.config import Table
from busjax.data.audit import overrides, pairs
from busjax.data.audit.audit_page import page
from busjax.data.audit.run import Audit, audit, to_json
from busjax.data.audit.source import Folder
from busjax.data.readers.busi import find_folder
from busjax.files import PathLike


def make(
    directory: PathLike,
    out: epath.Path,
    overrides_from: PathLike | None = None,
    table: Table | None = None,
    grey_range: str = "",
) -> tuple[Audit, epath.Path]:
    """Audits a folder; writes `out` and a page beside it, and returns the audit and the page.

    Args:
        directory: a BUSI folder, or that of a table.
        out: the JSON file.
        overrides_from: a person's decisions, a CSV.
        table: `config.data.table`; None: it is a BUSI folder.
        grey_range: `config.data.grey_range`.

    Raises:
        UserError: no BUSI folder; overrides that are wrong.
    """
    folder = Folder(directory, table, grey_range)
    source = folder.source
    decided = (
        overrides.read(overrides_from, source.ids) if overrides_from else overrides.Overrides()
    )
    records = [source[index] for index in range(len(source))]
    total = pairs.steps(len(records))
    with tqdm(total=total, unit="step", disable=not sys.stderr.isatty()) as bar:
        result = audit(records, folder.coloured(), decided, bar.update)
    content = to_json(result) | {"unusable": [list(problem) for problem in source.skipped]}
    out.parent.mkdir(parents=True, exist_ok=True)
    page_path = out.with_suffix(".html")
    files.replace(page_path, page(result, source.skipped, out.name))
    files.replace(out, (json.dumps(content, indent=1) + "\n").encode())
    return result, page_path


def cached(directory: PathLike, table: Table | None = None, grey_range: str = "") -> epath.Path:
    """The audit of a folder, without overrides, in the user's cache; made where it is not there.

    It is found again by the names and contents of all files of the folder.

    Args:
        directory: a BUSI folder, or that of a table.
        table: `config.data.table`; None: it is a BUSI folder.
        grey_range: `config.data.grey_range`.

    Raises:
        UserError: no such folder.
    """
    root = find_folder(directory) if table is None else epath.Path(directory)
    kept = epath.Path(os.environ.get("XDG_CACHE_HOME") or epath.Path("~/.cache").expanduser())
    path = kept / "busjax" / f"audit-{_digest(root, table, grey_range)}.json"
    if not path.exists():
        print(f"auditing {root}, once: about a minute for 780 images", flush=True)
        make(root, path, table=table, grey_range=grey_range)
    print(f"audit: {path} (to look at: {path.with_suffix('.html')})", flush=True)
    return path


def _files(folder: epath.Path, depth: int = 4) -> Iterator[epath.Path]:
    """All files below a folder, so many folders deep: a link may lead back up."""
    for path in folder.iterdir():
        if path.is_file():
            yield path
        elif depth and path.is_dir():
            with contextlib.suppress(OSError):  # a folder that may not be read holds no image
                yield from _files(path, depth - 1)


def _content(path: epath.Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # as it is told where it is an image
        return b""


def _digest(root: epath.Path, table: Table | None, grey_range: str) -> str:
    described = "" if table is None else json.dumps(dataclasses.asdict(table))
    described += grey_range
    total = hashlib.blake2b(described.encode(), digest_size=12)
    for path in sorted(_files(root)):
        content = hashlib.blake2b(_content(path), digest_size=12).hexdigest()
        total.update(os.fsencode(path.relative_to(root)) + f"\0{content}\0".encode())
    return total.hexdigest()
