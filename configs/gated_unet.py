"""U-Net whose skips pass through gate units (ACSNet 2024), or attention gates (model.gate)."""

from ml_collections import ConfigDict

from busjax.variants import variant


def get_config() -> ConfigDict:
    config = variant("base")
    config.name = "gated_unet"
    config.model.name = "gated_unet"
    return config
