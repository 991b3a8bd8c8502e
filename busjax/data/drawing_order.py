"""What an epoch is made of, and what is drawn equally often."""

from __future__ import annotations

import numpy as np


def epoch(labels: np.ndarray, oversample: bool) -> np.ndarray:
    """Returns the positions that make up an epoch, (M,) int64.

    With `oversample`, each image of a class with n images comes floor(max n / n) times: classes
    as equal as whole factors allow (Aumente-Maestro et al., CMPB 2025, 108540).
    """
    positions = np.arange(len(labels))
    if not oversample or not len(labels):
        return positions
    counts = np.bincount(labels)
    factors = counts.max() // np.maximum(counts, 1)
    return np.repeat(positions, factors[labels])


def strata(sets: np.ndarray, labels: np.ndarray, balance: str) -> np.ndarray:
    """The number of what each image is drawn with, (N,) int64; see `config.data.balance`.

    Args:
        sets: (N,) str, names of the sets that were joined.
        labels: (N,) int.
        balance: the field.
    """
    if balance == "none":
        return np.zeros(len(labels), np.int64)
    kinds = {
        "class": labels.astype(str),
        "set": sets,
        "set_class": np.array(
            [f"{name} {label}" for name, label in zip(sets, labels, strict=True)]
        ),
    }
    return np.unique(kinds[balance], return_inverse=True)[1]
