"""What a trained network is, wherever it was read from."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from etils import epath

from busjax.config import Config
from busjax.models.prediction import Calibration
from busjax.networks import tensors
from busjax.networks.abstention import Abstention


@dataclasses.dataclass(frozen=True)
class TrainedOn:
    """The images that a network was trained on, without a name of any.

    Attributes:
        source: 'busi', 'phantom', ...; '' unknown.
        description: in words.
        digests: of the images of each part, 'train', 'validation', 'test', sorted; see
            `data.records.digests`. None: a version that kept none.
        counts: images of each part.
        split_digest: SHA-256 of the ids of the parts.
    """

    source: str
    description: str
    digests: dict[str, tuple[str, ...]] | None
    counts: dict[str, int]
    split_digest: str

    @property
    def seen(self) -> frozenset[str]:
        """The digests of all images that it was trained or chosen on."""
        digests = self.digests or {}
        return frozenset(digests.get("train", ())) | frozenset(digests.get("validation", ()))

    def summary(self) -> dict[str, str]:
        """What a result says of it."""
        return {"source": self.source, "description": self.description}


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained network.

    Attributes:
        place: the folder that it was read from.
        config: what it was trained with.
        step, epoch: of the checkpoint; the epoch may be unknown.
        variables: nested dictionaries of numpy arrays.
        fitted: threshold and temperature of the validation images; None: there are none.
        trained_on: its images.
        abstention: when it says 'I do not know'; None: too few validation images tell of it.
    """

    place: epath.Path
    config: Config
    step: int
    epoch: int | None
    variables: Any
    fitted: Calibration | None
    trained_on: TrainedOn
    abstention: Abstention | None

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the weights, see `tensors.digest`."""
        return tensors.digest(self.variables)
