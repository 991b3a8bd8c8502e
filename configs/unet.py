"""U-Net with a classifier on its shared encoder (Ronneberger 2015, arXiv:1505.04597)."""

from ml_collections import ConfigDict

from busjax.variants import variant


def get_config() -> ConfigDict:
    config = variant("base")
    config.name = "unet"
    config.model.name = "unet"
    return config
