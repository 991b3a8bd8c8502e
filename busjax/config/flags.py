"""Where the flags of ml_collections become settings, and the other way round."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from busjax.config.settings import Config, flatten


def config_dict(settings: Config) -> ConfigDict:
    """What ml_collections' flags change field by field."""
    return ConfigDict(dataclasses.asdict(settings))


def draft(values: Mapping[str, Any]) -> ConfigDict:
    """The defaults with other values of these fields, by dotted names; none of them is checked."""
    config = config_dict(Config())
    with config.ignore_type():  # a type is checked with the ranges, once the flags are in
        config.update_from_flattened_dict(values)
    return config


def settings(config: ConfigDict) -> Config:
    """The settings that flags ask for.

    Raises:
        UserError: as `Config.from_flat`.
    """
    return Config.from_flat(flatten(config.to_dict()))
