"""U-Net++ as published with Curated BUSI (Aumente-Maestro et al., CMPB 2025, 108540, sec. 3-4).

Channels 24 to 384, instance norm, leaky ReLU 0.1, Dice loss with deep supervision, focal loss,
deterministic oversampling, refined output, batches of 2, 200 epochs. Deviations: our classifier
head; a cosine instead of halving the rate on a plateau; no moving average is made. For an
accelerator: an epoch on two CPU cores takes minutes. Give it their 450 images with
--config.data.curation=curated_busi_450.csv.
"""

from ml_collections import ConfigDict

from busjax.variants import variant


def get_config() -> ConfigDict:
    config = variant("unetpp_refined")
    config.name = "unetpp_paper"
    config.model.width = 24
    config.model.norm = "instance"
    config.model.activation_slope = 0.1
    config.data.oversample = True
    config.augment.flip_vertical = 0.5
    config.loss.bce = 0.0
    config.loss.segmentation = 0.35
    config.loss.classification = 0.65
    config.loss.classifier = "focal"
    config.optim.learning_rate = 1e-4
    config.optim.ema_decay = 0.0
    config.train.batch_size = 2
    config.train.epochs = 200
    return config
