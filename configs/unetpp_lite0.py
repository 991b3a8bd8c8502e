"""U-Net++ on an EfficientNet-Lite0 encoder with ImageNet weights; see `unet_lite0.py`.

Zhou 2020, arXiv:1912.05074, with a node for each of the encoder's five halvings. Curated BUSI
450 takes ten minutes on two CPU cores; measured in docs/results.md.
"""

from ml_collections import ConfigDict

from busjax.variants import variant


def get_config() -> ConfigDict:
    config = variant("unet_lite0")
    config.name = "unetpp_lite0"
    config.model.name = "unetpp"
    config.model.width = 8  # as in `unetpp.py`
    return config
