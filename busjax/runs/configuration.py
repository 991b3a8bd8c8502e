"""The configuration of a run, kept in its folder."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from etils import epath
from ml_collections import ConfigDict

from busjax import files
from busjax.config import FIELDS, Config, flatten
from busjax.config.flags import draft
from busjax.errors import UserError
from busjax.files import PathLike

FILE = "config.json"
PORTABLE = "model.json"
"""What a network that was handed over has in its place, with the same fields within."""

FOLD = "fold_"
"""With its index, the name of the folder of a fold in that of a cross-validation."""


def save(config: Config, workdir: PathLike) -> None:
    """Writes the configuration into the folder of its run."""
    content = json.dumps(dataclasses.asdict(config), indent=1) + "\n"
    files.replace(epath.Path(workdir) / FILE, content.encode())


def exists(workdir: PathLike) -> bool:
    """Whether the folder is that of a run."""
    return (epath.Path(workdir) / FILE).exists()


def as_saved(workdir: PathLike) -> dict[str, Any]:
    """The value of every field by dotted name, as the version of the run wrote it; not checked.

    Of a network that was handed over likewise, from its `PORTABLE`.

    Raises:
        UserError: there is no run in the folder.
    """
    path = epath.Path(workdir) / FILE
    handed_over = epath.Path(workdir) / PORTABLE
    try:
        if not path.exists() and handed_over.exists():
            path = handed_over
            content = json.loads(path.read_text(encoding="utf-8"))
            if "format" not in content:
                raise UserError(
                    f"{workdir} holds an export for other programs: give the run, or one that "
                    "busjax export --format=folder wrote"
                )
            return flatten(content["config"])
        return flatten(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"{workdir} holds no run: {path} cannot be read") from error
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not JSON ({error}); mend or remove it") from error


def fields(workdir: PathLike) -> dict[str, Any]:
    """The value of every field that a run was trained with, by dotted name; not checked.

    In the folder of a cross-validation: of its folds. Of a run of an earlier version: fields that
    were not there yet have their defaults, those that are no more are left out.

    Raises:
        UserError: there is no run in the folder.
    """
    folder = epath.Path(workdir)
    folds = [] if exists(folder) else sorted(path.parent for path in folder.glob(f"{FOLD}*/{FILE}"))
    saved = as_saved((folds or [folder])[0])
    known = {field: value for field, value in saved.items() if field in FIELDS}
    return {**Config().flat(), **known, **({"cv.only": ""} if folds else {})}


def read(workdir: PathLike) -> Config:
    """The settings that a run, or the folds of a cross-validation, were trained with; see `fields`.

    Raises:
        UserError: there is no run in the folder, or a field is out of its range.
    """
    values = fields(workdir)
    try:
        return Config.from_flat(values)
    except UserError as error:
        raise UserError(f"the run in {workdir} cannot be used: {error}") from error


def saved_draft(workdir: PathLike) -> ConfigDict:
    """The settings of a run, to be changed by flags before they are checked.

    Raises:
        UserError: there is no run in the folder.
    """
    return draft(fields(workdir))
