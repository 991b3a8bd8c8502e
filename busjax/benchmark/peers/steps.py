"""Train step and prediction of the networks in PyTorch, with busjax's losses and optimiser."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from busjax.benchmark.peers.network import MultiTaskNet
from busjax.config import Config, Loss


def trainer(config: Config, batch: Mapping[str, np.ndarray]) -> Callable[[], float]:
    """A call that takes one step on a batch and gives its loss.

    Channels last; bfloat16 by autocast. AdamW, fused, with the decay on kernels alone; clipping by
    the global norm. There is no moving average of the weights, which busjax's step has.
    """
    net = _network(config)
    optim = config.optim
    groups = [
        {"params": [p for p in net.parameters() if p.ndim > 1], "weight_decay": optim.weight_decay},
        {"params": [p for p in net.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, optim.learning_rate, fused=True)
    image, mask = (_channels_last(batch[name]) for name in ("image", "mask"))
    label = torch.from_numpy(batch["label"]).long()

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        with _autocast(config):
            masks, classes = net(image)
        loss = loss_of(masks, classes, mask, label, config.loss)
        loss.backward()
        if optim.clip_norm:
            nn.utils.clip_grad_norm_(net.parameters(), optim.clip_norm)
        optimizer.step()
        return loss.item()

    return step


def predictor(config: Config, images: np.ndarray) -> Callable[[], tuple[Any, Any]]:
    """A call that maps images (B, H, W, C) to mask (B, 1, H, W) and class (B, classes) arrays."""
    net = _network(config).eval()
    image = _channels_last(images)

    def predict() -> tuple[Any, Any]:
        with torch.inference_mode(), _autocast(config):
            masks, classes = net(image)
            return masks[0].sigmoid().numpy(), classes.softmax(-1).numpy()

    return predict


def loss_of(masks: list[Any], classes: Any, mask: Any, label: Any, weights: Loss) -> Any:
    """The loss of `busjax.training.losses`, with fixed weights and cross-entropy, over a batch."""
    shares = 1.0 / torch.arange(1, len(masks) + 1)
    loss = weights.classification * F.cross_entropy(classes, label)
    for share, logits in zip(shares / shares.sum(), masks, strict=True):
        p = logits.sigmoid()
        overlap, total = (p * mask).sum((1, 2, 3)), p.sum((1, 2, 3)) + mask.sum((1, 2, 3))
        dice = 1 - (2 * overlap + 1) / (total + 1)
        bce = F.binary_cross_entropy_with_logits(logits, mask)
        term = weights.dice * dice.mean() + weights.bce * bce
        loss = loss + weights.segmentation * share * term
    return loss


def _network(config: Config) -> Any:
    net: Any = MultiTaskNet(config.model)  # its type knows no memory_format
    return net.to(memory_format=torch.channels_last)


def _channels_last(x: np.ndarray) -> Any:
    """(B, H, W, C) as PyTorch's (B, C, H, W), which lies in memory as it did."""
    return torch.from_numpy(np.ascontiguousarray(x)).permute(0, 3, 1, 2)


def _autocast(config: Config) -> Any:
    enabled = config.model.dtype == "bfloat16"
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled)
