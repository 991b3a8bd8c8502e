"""What a network gains by saying nothing of the images that it is least sure of.

Risk-coverage curves (Geifman and El-Yaniv, NeurIPS 2017, arXiv:1705.08500), with a score of which
higher is better in place of the risk.
"""

from __future__ import annotations

import numpy as np


def curve(doubt: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns coverage (N,) in (0, 1] and the mean score of the images kept, (N,).

    Images of equal doubt are kept or left together: the points between repeat the next one.

    Args:
        doubt: (N,), the images with the least are kept first.
        score: (N,), such as Dice, or 1 where the class is right.
    """
    order = np.argsort(doubt, kind="stable")
    ranked = np.asarray(doubt)[order]
    kept = np.arange(1, len(order) + 1)
    mean = np.cumsum(np.asarray(score, np.float64)[order]) / kept
    last = np.searchsorted(ranked, ranked, side="right") - 1  # of those of equal doubt
    return kept[last] / len(order), mean[last]


def describe(
    doubt: np.ndarray, abstains: np.ndarray, scores: dict[str, np.ndarray]
) -> dict[str, float]:
    """Scores of the images that are kept, by name.

    'n_kept' images of which something is said, and of each score its mean over them, '_kept', over
    the 80 % with the least doubt, '_at_80', and over all coverages, '_over_coverages'. Where
    nothing is kept '_kept' is nan.

    Args:
        doubt: (N,).
        abstains: (N,) bool, images of which nothing is said.
        scores: by name (N,), higher is better.
    """
    kept = ~abstains
    found: dict[str, float] = {"n_kept": int(kept.sum())}
    for name, values in scores.items():
        found |= {
            f"{name}_kept": float(values[kept].mean()) if kept.any() else float("nan"),
            f"{name}_at_80": at(doubt, values, 0.8),
            f"{name}_over_coverages": area(doubt, values),
        }
    return found


def area(doubt: np.ndarray, score: np.ndarray) -> float:
    """The mean of `curve` over all coverages: higher where doubt ranks the images better."""
    return float(curve(doubt, score)[1].mean())


def at(doubt: np.ndarray, score: np.ndarray, coverage: float) -> float:
    """The mean score of the share `coverage` of images with the least doubt, at least one.

    Of images of equal doubt at the end as many are counted as fit, at their mean.
    """
    order = np.argsort(doubt, kind="stable")
    ranked, score = np.asarray(doubt)[order], np.asarray(score, np.float64)[order]
    n_kept = max(1, round(coverage * len(order)))
    surely, tied = ranked < ranked[n_kept - 1], ranked == ranked[n_kept - 1]
    missing = n_kept - int(surely.sum())
    return float((score[surely].sum() + missing * score[tied].mean()) / n_kept)
