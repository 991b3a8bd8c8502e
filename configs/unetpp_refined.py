"""U-Net++ whose mask is black where the classifier says normal (Aumente-Maestro 2025)."""

from ml_collections import ConfigDict

from configs import unetpp


def get_config() -> ConfigDict:
    config = unetpp.get_config()
    config.name = "unetpp_refined"
    config.model.refine = "hard"
    return config
