"""The defaults as ml_collections takes them: what `configs/base.py` returns."""

from ml_collections import ConfigDict

from busjax.config.flags import config_dict
from busjax.config.settings import Config


def get_config() -> ConfigDict:
    """Every field with its default."""
    return config_dict(Config())
