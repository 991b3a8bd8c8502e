"""U-Net with a classifier on its shared encoder (Ronneberger 2015, arXiv:1505.04597)."""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config()
    config.name = "unet"
    config.model.name = "unet"
    return config
