"""Confidence intervals by resampling whole groups of images.

Percentile bootstrap (Efron and Tibshirani 1993, ch. 13) over clusters: images of one group are
kept together, since they are not independent. A resample is a number of times that each image
counts, so that all resamples are scored at once, and two networks on the same ones.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from busjax.classes import CLASSES

RESAMPLES = 2000
COVERAGE = 0.95


class Measured(NamedTuple):
    """What is known of N images.

    Attributes:
        labels: (N,) int, indices into `CLASSES`.
        probabilities: (N, 3) in [0, 1], of the classes.
        dice, iou: (N,) in [0, 1].
    """

    labels: np.ndarray
    probabilities: np.ndarray
    dice: np.ndarray
    iou: np.ndarray


def draw(groups: Sequence[str], resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """How often each image counts in each resample: (resamples, N) int64, not to be written to.

    As many groups are drawn, with replacement, as there are.
    """
    return _drawn(tuple(groups), resamples, seed)


@functools.lru_cache(maxsize=2)  # a table compares many networks on the same images
def _drawn(groups: tuple[str, ...], resamples: int, seed: int) -> np.ndarray:
    names, member_of = np.unique(np.asarray(groups), return_inverse=True)
    share = np.full(len(names), 1 / len(names))
    times = np.random.default_rng(seed).multinomial(len(names), share, size=resamples)
    counts = times[:, member_of]
    counts.setflags(write=False)
    return counts


def scores(times: np.ndarray, images: Measured) -> dict[str, np.ndarray]:
    """Scores of `metrics.summary.summarise`, each (R,) float64, of R resamples at once.

    A resample without images of a class gives nan to the scores of that class. Medians are left
    out.

    Args:
        times: (R, N) how often each image counts.
        images: N of them.
    """
    times = np.asarray(times, np.float64)
    members = np.eye(len(CLASSES))[images.labels]
    predicted = np.eye(len(CLASSES))[images.probabilities.argmax(axis=1)]
    with np.errstate(invalid="ignore"):  # 0 / 0 is the nan that is wanted
        n, called = times @ members, times @ predicted
        hits = times @ (members * predicted)
        total = n.sum(axis=1)
        f1 = np.where(n > 0, 2 * hits / np.maximum(n + called, 1), np.nan)
        of_class = np.stack(
            [auc(times, members[:, c], images.probabilities[:, c]) for c in range(3)]
        )
        measures = {
            "dice_average": times @ images.dice / total,
            **_by_class("dice", (times * images.dice) @ members / n),
            "iou_average": times @ images.iou / total,
            **_by_class("iou", (times * images.iou) @ members / n),
            "accuracy": hits.sum(axis=1) / total,
            "balanced_accuracy": _mean_of_known(hits / n),
            **_by_class("sensitivity", hits / n),
            "f1_weighted": (np.nan_to_num(f1) * n).sum(axis=1) / total,
            **_by_class("f1", f1),
            "auc_macro": of_class.mean(axis=0),
            **_by_class("auc", of_class.T),
        }
    return measures


def interval(values: np.ndarray, coverage: float = COVERAGE) -> tuple[float, float]:
    """The middle part of resampled scores: its two ends; nan where no resample has a score."""
    known = values[np.isfinite(values)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - coverage) / 2, (1 + coverage) / 2])
    return float(low), float(high)


def auc(times: np.ndarray, positive: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Share of the pairs of a positive and a negative that are ranked right; ties count half.

    Args:
        times: (R, N) float, how often each image counts.
        positive: (N,) 0 or 1.
        score: (N,), higher for what should be positive.

    Returns:
        (R,), nan where a resample has no pair.
    """
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))  # of each level of the score
    times, positive = times[:, order], positive[order]
    positives = np.add.reduceat(times * positive, starts, axis=1)
    negatives = np.add.reduceat(times * (1 - positive), starts, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives / 2
    return (positives * below).sum(axis=1) / (positives.sum(axis=1) * negatives.sum(axis=1))


def _mean_of_known(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    return np.where(known, values, 0).sum(axis=1) / known.sum(axis=1)


def _by_class(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    return {f"{name}_{word}": values[:, index] for index, word in enumerate(CLASSES)}
