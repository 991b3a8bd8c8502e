"""When a network says 'I do not know': what validation images tell of its doubts.

abstention.safetensors of a run, or of a network that was handed over. It holds no image and no
features of one: quantiles, and a normal distribution.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from etils import epath

from busjax import files
from busjax.errors import UserError
from busjax.files import PathLike
from busjax.models.uncertainty import Uncertainty
from busjax.networks import familiarity, tensors
from busjax.networks.familiarity import Familiar

FILE = "abstention.safetensors"
FEWEST = 8  # validation images, below which their quantiles say nothing
DISTANCE = "distance"
SIGNS = {
    "mask": "its mask is less sure",
    "classes": "its class is less sure",
    "contradiction": "its mask and its class contradict each other more",
    "mask_disagreement": "views or members disagree more on its mask",
    "class_disagreement": "views or members disagree more on its class",
    DISTANCE: "it is less like the images that the network knows",
}
"""Signs of doubt, the values of `Uncertainty` and the distance, and how they are told."""

_LEVELS = np.linspace(0, 1, 201)


@dataclasses.dataclass(frozen=True)
class Judged:
    """What is made of the signs of N images.

    Attributes:
        distance: (N,), see `Familiar.distances`.
        shares: of each sign that is judged (N,), the share of validation images with less of it.
        doubt: (N,) in [0, 1], the largest share; compare it with `Abstention.limit`.
        is_far: (N,) bool, farther from what the network knows than every validation image.
    """

    distance: np.ndarray
    shares: dict[str, np.ndarray]
    doubt: np.ndarray
    is_far: np.ndarray


@dataclasses.dataclass(frozen=True)
class Abstention:
    """The signs of doubt of validation images.

    Attributes:
        quantiles: of each sign that varied, at 201 levels.
        doubt: quantiles of the largest share of an image, see `Judged`.
        familiar: the features of these images.
    """

    quantiles: dict[str, np.ndarray]
    doubt: np.ndarray
    familiar: Familiar

    def judge(self, signs: dict[str, np.ndarray], features: np.ndarray) -> Judged:
        """What the signs of images mean.

        Args:
            signs: by the names of `Uncertainty`, (N,) each.
            features: (N, C).
        """
        distance = self.familiar.distances(features)
        shares = self._shares({**signs, DISTANCE: distance})
        largest = np.max(list(shares.values()), axis=0)
        return Judged(distance, shares, largest, distance > self.quantiles[DISTANCE][-1])

    def limit(self, coverage: float) -> float:
        """The doubt up to which this share of the validation images is kept."""
        return float(np.interp(coverage, _LEVELS, self.doubt))

    def abstains(self, judged: Judged, coverage: float) -> np.ndarray:
        """Of which images nothing should be said, (N,) bool: those that have `reasons`."""
        return judged.is_far | (judged.doubt > self.limit(coverage))

    def reasons(self, judged: Judged, index: int, coverage: float) -> tuple[str, ...]:
        """Why nothing should be said of an image, in words; nothing: all is well.

        Args:
            judged: of some images.
            index: of one of them.
            coverage: share of the validation images of which something is said.
        """
        if judged.is_far[index]:
            return ("it is unlike all images that the network was tried on",)
        limit = self.limit(coverage)
        return tuple(
            f"{said} than {limit:.0%} of the validation images"
            for name, said in SIGNS.items()
            if name in judged.shares and judged.shares[name][index] > limit
        )

    def _shares(self, signs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {
            name: np.interp(signs[name], levels, _LEVELS)
            for name, levels in self.quantiles.items()
            if name in signs
        }


def signs_of(uncertainty: np.ndarray) -> dict[str, np.ndarray]:
    """Signs by their names, (N,) each, of the values of `Uncertainty` in its order, (N, 5)."""
    names = [field.name for field in dataclasses.fields(Uncertainty)]
    return dict(zip(names, uncertainty.T, strict=True))


def fit(
    signs: dict[str, np.ndarray], features: np.ndarray, groups: Sequence[str]
) -> Abstention | None:
    """What validation images tell; None where they are too few.

    Args:
        signs: by the names of `Uncertainty`, (N,) each.
        features: (N, C) of the encoder.
        groups: of each image; those of one are never parted.
    """
    if len(features) < FEWEST or len(set(groups)) < FEWEST:
        return None
    every = {**signs, DISTANCE: familiarity.left_out(features, groups)}
    # What is the same of all images, as the disagreement of a single view, is no sign.
    told = {name: np.asarray(values) for name, values in every.items() if np.ptp(values) > 0}
    quantiles = {name: np.quantile(values, _LEVELS) for name, values in told.items()}
    found = Abstention(quantiles, np.zeros(len(_LEVELS)), Familiar.fit(features))
    largest = np.max(list(found._shares(told).values()), axis=0)
    return dataclasses.replace(found, doubt=np.quantile(largest, _LEVELS))


def to_bytes(abstention: Abstention) -> bytes:
    """Its file."""
    return tensors.to_bytes(
        {
            "quantiles": abstention.quantiles,
            "doubt": abstention.doubt,
            "familiar": abstention.familiar.tensors(),
        }
    )


def from_bytes(content: bytes) -> Abstention:
    """The same back; UserError where it is none."""
    try:
        read: dict[str, Any] = tensors.from_bytes(content)
        familiar = Familiar.of_tensors(read["familiar"])
        return Abstention(read["quantiles"], read["doubt"], familiar)
    except (KeyError, TypeError) as error:
        raise UserError(f"it is no {FILE}: {error} is missing") from error


def save(workdir: PathLike, abstention: Abstention) -> None:
    """Writes it into the folder of a network."""
    files.replace(epath.Path(workdir) / FILE, to_bytes(abstention))


def read(workdir: PathLike) -> Abstention | None:
    """That of a network; None where there is none: an evaluation makes it.

    Raises:
        UserError: it is damaged.
    """
    path = epath.Path(workdir) / FILE
    if not path.exists():
        return None
    try:
        return from_bytes(path.read_bytes())
    except UserError as error:
        raise UserError(f"{path} cannot be read ({error}): evaluate the run again") from error
