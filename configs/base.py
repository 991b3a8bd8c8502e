"""The defaults: a plain U-Net with a classifier; variants override what differs.

Every field with its default, range, meaning and unit stands in `busjax/config/`.
"""

from ml_collections import ConfigDict

from busjax.config import Config
from busjax.config.flags import config_dict


def get_config() -> ConfigDict:
    return config_dict(Config())
