"""How far an image lies from those that a network knows, by the features of its encoder.

The bottleneck alone, which knows lesions, takes photographs for breasts; the finer features, which
know speckle and edges, do not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

_AXES = 64  # directions that are kept one by one; the others share a variance
_FOLDS = 10


@dataclasses.dataclass(frozen=True)
class Familiar:
    """A normal distribution of features (C,), without those of any single image.

    Attributes:
        mean, scale: (C,), of each feature.
        axes: (K, C), orthonormal, of the scaled features.
        variances: (K,), along the axes.
        rest: (1,), variance along any other direction.
    """

    mean: np.ndarray
    scale: np.ndarray
    axes: np.ndarray
    variances: np.ndarray
    rest: np.ndarray

    @classmethod
    def fit(cls, features: np.ndarray) -> Familiar:
        """Fits it to features (N, C) of at least two images.

        The covariance is shrunk towards equal variances (Ledoit and Wolf, J. Multivariate Analysis
        88, 2004): there are fewer images than features.
        """
        features = np.asarray(features, np.float64)
        n, size = features.shape
        mean, scale = features.mean(axis=0), features.std(axis=0)
        scale = np.where(scale > 1e-6 * scale.max(initial=1e-12), scale, 1.0)
        scaled = (features - mean) / scale
        _, singular, axes = np.linalg.svd(scaled, full_matrices=False)
        variances = singular**2 / n
        level = variances.sum() / size
        spread = (variances**2).sum() - size * level**2
        noise = ((scaled**2).sum(axis=1) ** 2).sum() / n**2 - (variances**2).sum() / n
        share = min(1.0, max(noise, 0.0) / spread) if spread > 0 else 1.0
        floor = max(share * level, 1e-6)
        kept = min(_AXES, len(variances))
        others = (1 - share) * variances[kept:].sum() / max(size - kept, 1)
        return cls(
            mean,
            scale,
            axes[:kept],
            (1 - share) * variances[:kept] + floor,
            np.array([others + floor]),
        )

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Mahalanobis distances of features (N, C), (N,), 1 where they are as far as is usual.

        Of features Lee et al. 2018, arXiv:1807.03888; here of one distribution for all classes.
        """
        scaled = (np.asarray(features, np.float64) - self.mean) / self.scale
        along = scaled @ self.axes.T
        beside = np.maximum((scaled**2).sum(axis=1) - (along**2).sum(axis=1), 0)
        squared = (along**2 / self.variances).sum(axis=1) + beside / self.rest[0]
        return np.sqrt(squared / scaled.shape[1])

    def tensors(self) -> dict[str, np.ndarray]:
        """Its numbers, by name."""
        return dataclasses.asdict(self)

    @classmethod
    def of_tensors(cls, tensors: dict[str, Any]) -> Familiar:
        """The same back."""
        return cls(**{field.name: tensors[field.name] for field in dataclasses.fields(cls)})


def left_out(features: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """Distances (N,) of images, each to those of other groups: as those of new images are.

    Args:
        features: (N, C).
        groups: of each image; two at least.
    """
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    folds = member % min(_FOLDS, len(names))
    found = np.zeros(len(features))
    for fold in np.unique(folds):
        inside = folds == fold
        found[inside] = Familiar.fit(features[~inside]).distances(features[inside])
    return found
