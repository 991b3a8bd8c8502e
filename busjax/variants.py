"""The variants of `configs/`, by name or as files."""

from __future__ import annotations

import importlib.util
import pkgutil
from pathlib import Path
from types import ModuleType

import configs
from busjax.config import Config
from busjax.config.flags import settings
from busjax.errors import UserError


def load_variant(name: str) -> Config:
    """The settings of a variant.

    Args:
        name: such as 'unetpp', or the path of a file with a function `get_config`.

    Raises:
        UserError: there is no such variant or file, or a value is out of its range.
    """
    if not name.endswith(".py"):
        return settings(_packaged(name).get_config())
    path = Path(name)
    if not path.is_file():
        raise UserError(f"--config={name} is no file")
    spec = importlib.util.spec_from_file_location("variant", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return settings(module.get_config())


def names() -> list[str]:
    """The variants that there are, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(configs.__path__))


def _packaged(name: str) -> ModuleType:
    if name not in names():
        raise UserError(
            f"'{name}' is no variant: choose among {', '.join(names())}, or give a file, "
            "such as configs/unetpp.py"
        )
    return importlib.import_module(f"configs.{name}")
