"""The variants of `configs/`, by name or as files."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from busjax.config import Config
from busjax.errors import UserError

# An installed package holds them; in a checkout they lie beside it. They are never imported by the
# name 'configs', which a folder of any other project may have.
_INSIDE = Path(__file__).with_name("configs")
FOLDER = _INSIDE if _INSIDE.is_dir() else Path(__file__).parents[1] / "configs"


def load_variant(name: str) -> Config:
    """The settings of a variant.

    Args:
        name: such as 'unetpp', or the path of a file with a function `get_config`.

    Raises:
        UserError: there is no such variant or file, or a value is out of its range.
    """
    from busjax.config.flags import settings  # and with it ml_collections

    return settings(variant(name))


def variant(name: str) -> Any:
    """What the file of a variant returns, to be changed field by field: an ml_collections dict.

    Args:
        name: as in `load_variant`; 'base': the defaults. 'FILE.py:TEXT' gives the text to the
            function.

    Raises:
        UserError: there is no such variant or file.
    """
    name, colon, argument = name.partition(":")
    path = file_of(name)
    spec = importlib.util.spec_from_file_location(f"busjax_variant_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "get_config"):
        raise UserError(f"--config={path} has no function get_config()")
    return module.get_config(*([argument] if colon else []))


def file_of(name: str) -> Path:
    """The file of a variant that is given by its name or as a file.

    Raises:
        UserError: there is none.
    """
    if name.endswith(".py"):
        if not Path(name).is_file():
            raise UserError(f"--config={name} is no file: give a file or one of {_listed()}")
        return Path(name)
    path = FOLDER / f"{name}.py"
    if name not in (*names(), "base"):
        raise UserError(
            f"'{name}' is no variant: choose among {_listed()}, or give a file, such as "
            "configs/unetpp.py"
        )
    return path


def names() -> list[str]:
    """The variants that there are, in alphabetical order."""
    stems = (path.stem for path in FOLDER.glob("*.py"))
    return sorted(stem for stem in stems if stem not in ("__init__", "base"))


def _listed() -> str:
    return ", ".join(names())
