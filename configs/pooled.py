"""Sets of several clinics together: the recipe of the network that comes with the package.

U-Net on EfficientNet-Lite0, 192 x 192 with proportions kept. Every class of every set is drawn
equally often. What tells 'normal' is made the absence of a lesion, not the style of the few normal
images: parts without a lesion, and whole images whose lesion is covered (docs/unseen.md, with what
each setting gained on unseen clinics). `launch/packaged.sh` trains it on BUSI and BUS-BRA.
"""

from ml_collections import ConfigDict

from busjax.variants import variant


def get_config() -> ConfigDict:
    config = variant("unet_lite0")
    config.name = "pooled"
    config.data.fit = "pad"
    config.data.balance = "set_class"
    config.data.image_size = 192
    config.data.test_fraction = 0.0
    config.train.epochs = 16
    config.augment.crop_normal = 0.15
    config.augment.crop_lesion = 0.15
    config.augment.erase_lesion = 0.2
    config.augment.erase_beside = 0.2
    config.augment.scale = 0.4
    config.augment.translate = 0.2
    config.augment.rotate = 25.0
    config.model.refine = "both"
    config.inference.flips = "horizontal"
    config.inference.temperature = "validation"
    config.inference.grid = "image"
    return config
