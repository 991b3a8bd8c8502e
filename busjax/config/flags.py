"""Where the flags of ml_collections become settings, and the other way round."""

from __future__ import annotations

import dataclasses

from ml_collections import ConfigDict

from busjax.config.settings import Config, flatten


def config_dict(settings: Config) -> ConfigDict:
    """What ml_collections' flags change field by field."""
    return ConfigDict(dataclasses.asdict(settings))


def settings(config: ConfigDict) -> Config:
    """The settings that flags ask for.

    Raises:
        UserError: as `Config.from_flat`.
    """
    return Config.from_flat(flatten(config.to_dict()))
