"""The defaults: a plain U-Net with a classifier; variants override what differs.

Every field with its default, range, meaning and unit stands in `busjax/config/`.
"""

from busjax.config.base import get_config

__all__ = ["get_config"]
