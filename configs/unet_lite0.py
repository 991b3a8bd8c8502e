"""U-Net on an EfficientNet-Lite0 encoder with ImageNet weights (extra 'pretrained').

Ronneberger 2015, arXiv:1505.04597; Tan and Le 2019, arXiv:1905.11946. The full learning rate for
the encoder, half the weight of the class's loss and 50 epochs did best in a calibration on one
grouped fold of Curated BUSI, in another framework. Sides of images must be divisible by 32.
Curated BUSI 450 takes five minutes on two CPU cores; measured in docs/results.md.
"""

from ml_collections import ConfigDict

from busjax.variants import variant


def get_config() -> ConfigDict:
    config = variant("base")
    config.name = "unet_lite0"
    config.model.encoder = "efficientnet_lite0"
    config.model.encoder_weights = "imagenet"
    config.loss.classification = 0.25
    config.optim.learning_rate = 1e-3
    config.train.epochs = 50
    config.train.batch_size = 16
    return config
