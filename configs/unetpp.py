"""U-Net++ with a classifier and deep supervision (Zhou 2020, arXiv:1912.05074)."""

from ml_collections import ConfigDict

from busjax.variants import variant


def get_config() -> ConfigDict:
    config = variant("base")
    config.name = "unetpp"
    config.model.name = "unetpp"
    config.model.width = 8  # ten nodes more than the encoder's: a step as long as the U-Net's at 16
    return config
