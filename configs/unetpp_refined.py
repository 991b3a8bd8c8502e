"""U-Net++ whose mask is black where the classifier says normal (Aumente-Maestro 2025)."""

from ml_collections import ConfigDict

from busjax.variants import variant


def get_config() -> ConfigDict:
    config = variant("unetpp")
    config.name = "unetpp_refined"
    config.model.refine = "hard"
    return config
