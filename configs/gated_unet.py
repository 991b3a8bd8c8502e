"""U-Net whose skips pass through gate units (ACSNet 2024), or attention gates (model.gate)."""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    config = base.get_config()
    config.name = "gated_unet"
    config.model.name = "gated_unet"
    return config
