"""U-Net and U-Net++ with their classifier, as `busjax.models` has them, in PyTorch.

Modules have the names of ours, so that weights move from one to the other; layout is PyTorch's.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from busjax.classes import CLASSES
from busjax.config import Model


def describes(model: Model) -> bool:
    """Whether `config.model` is a network that stands in this file."""
    return (
        model.name in ("unet", "unetpp")
        and model.encoder == "conv"
        and model.norm == "batch"
        and model.upsample == "transposed"
        and model.dropout == model.prune == 0
        and model.deep_supervision
    )


class Block(nn.Module):
    """Twice (3x3 convolution, batch norm, leaky ReLU)."""

    def __init__(self, before: int, after: int, model: Model) -> None:
        super().__init__()
        self.slope, momentum = model.activation_slope, model.batch_norm_momentum
        self.conv_0 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.norm_0 = nn.BatchNorm2d(after, momentum=1 - momentum)
        self.conv_1 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.norm_1 = nn.BatchNorm2d(after, momentum=1 - momentum)

    def forward(self, x: Any) -> Any:
        x = self._activate(self.norm_0(self.conv_0(x)))
        return self._activate(self.norm_1(self.conv_1(x)))

    def _activate(self, x: Any) -> Any:
        if self.slope == 0:
            return F.relu(x, inplace=True)
        return F.leaky_relu(x, self.slope, inplace=True)


class Pool(nn.Module):
    """Channel attention, then the mean over space."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 16, 4)
        self.squeeze = nn.Linear(2 * channels, hidden)
        self.excite = nn.Linear(hidden, channels)

    def forward(self, x: Any) -> Any:
        mean = x.mean((2, 3))
        pooled = torch.cat([mean, x.amax((2, 3))], 1)
        return mean * torch.sigmoid(self.excite(F.relu(self.squeeze(pooled))))


class Classifier(nn.Module):
    """Features of several scales become class logits."""

    def __init__(self, channels: list[int], model: Model) -> None:
        super().__init__()
        for i, c in enumerate(channels):
            setattr(self, f"pool_{i}", Pool(c))
        self.hidden = nn.Linear(sum(channels), model.classifier_hidden)
        self.logits = nn.Linear(model.classifier_hidden, len(CLASSES))
        self.dropout = nn.Dropout(model.classifier_dropout)

    def forward(self, xs: list[Any]) -> Any:
        y = torch.cat([getattr(self, f"pool_{i}")(x) for i, x in enumerate(xs)], 1)
        return self.logits(self.dropout(F.relu(self.hidden(self.dropout(y)))))


class MultiTaskNet(nn.Module):
    """Maps images (B, C, H, W) to mask logits, each (B, 1, H, W), and class logits (B, classes).

    Of U-Net++ there are four masks in training, else one; the first is that of the whole network.
    """

    def __init__(self, model: Model) -> None:
        """Takes `config.model`, which `describes` accepts."""
        super().__init__()
        self.depth, self.nested = model.depth, model.name == "unetpp"
        width = [model.width * 2**level for level in range(model.depth + 1)]
        self.encoder, self.decoder = nn.ModuleDict(), nn.ModuleDict()
        for level, c in enumerate(width):
            before = width[level - 1] if level else model.image_channels
            self.encoder[f"level_{level}"] = Block(before, c, model)
        for i, j in self._nodes():
            up, node = self._names(i, j)
            joined = width[i] * (j + 1 if self.nested else 2)
            self.decoder[up] = nn.ConvTranspose2d(width[i + 1], width[i], 2, stride=2)
            self.decoder[node] = Block(joined, width[i], model)
        self.masks = model.depth if self.nested else 1
        for n in range(self.masks):
            setattr(self, f"mask_{n + 1}", nn.ModuleDict({"conv": nn.Conv2d(width[0], 1, 1)}))
        self.classifier = Classifier([width[-2], width[-1], width[-2]], model)

    def _nodes(self) -> list[tuple[int, int]]:
        """Level and column of the decoder's nodes, in the order in which they are computed."""
        columns = range(1, self.depth + 1)
        if self.nested:
            return [(i, j) for j in columns for i in range(self.depth + 1 - j)]
        return [(self.depth - j, j) for j in columns]

    def _names(self, i: int, j: int) -> tuple[str, str]:
        return (f"up_{i}_{j}", f"x_{i}_{j}") if self.nested else (f"up_{i}", f"level_{i}")

    def forward(self, image: Any) -> tuple[list[Any], Any]:
        x, features = image - 0.5, []
        for level in range(self.depth + 1):
            x = self.encoder[f"level_{level}"](F.max_pool2d(x, 2) if level else x)
            features.append(x)
        nodes = [[feature] for feature in features]
        for i, j in self._nodes():
            up, node = self._names(i, j)
            coarser = nodes[i + 1][j - 1 if self.nested else -1]
            x = torch.cat([*nodes[i], self.decoder[up](coarser)], 1)
            nodes[i].append(self.decoder[node](x))
        classes = self.classifier([features[-2], features[-1], nodes[-2][1]])
        wanted = range(self.masks if self.training else 1)
        finest = nodes[0][::-1]
        masks = [getattr(self, f"mask_{self.masks - n}")["conv"](finest[n]) for n in wanted]
        return [mask.float() for mask in masks], classes.float()
