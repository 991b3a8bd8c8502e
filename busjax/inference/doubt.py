"""What a network leaves open of an image, and whether it says 'I do not know' of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from busjax.networks.abstention import Abstention, signs_of


@dataclasses.dataclass(frozen=True)
class Doubt:
    """Of an image, of several views the largest.

    Attributes:
        mask, classes, contradiction: in [0, 1], see `models.uncertainty.Uncertainty`.
        mask_disagreement, class_disagreement: likewise; None where there is nothing to disagree.
        distance: to what the network knows, 1 where it is usual, see `networks.familiarity`; None:
            the network does not know it.
        objections: why it may be no B-mode picture of one view, in words.
        reasons: why nothing should be said of it, in words, the objections first.
        abstains: whether nothing should be said of it; None: the network does not know.
    """

    mask: float
    classes: float
    contradiction: float
    mask_disagreement: float | None
    class_disagreement: float | None
    distance: float | None
    objections: tuple[str, ...]
    reasons: tuple[str, ...]
    abstains: bool | None


def of(
    uncertainty: np.ndarray,
    features: np.ndarray,
    known: Abstention | None,
    coverage: float,
    is_alone: bool,
    objections: Sequence[str],
) -> Doubt:
    """What is left open of an image that was read in V parts.

    Args:
        uncertainty: (V, 5), the values of `Uncertainty` in its order.
        features: (V, C).
        known: of the network.
        coverage: `config.inference.coverage`.
        is_alone: a single member looks at a single view: nothing disagrees.
        objections: of its pixels, see `inference.suitability`.
    """
    signs = signs_of(uncertainty)
    largest: dict[str, Any] = {name: float(x.max()) for name, x in signs.items()}
    if is_alone:
        largest |= dict.fromkeys(("mask_disagreement", "class_disagreement"))
    distance, found = None, list(objections)
    if known:
        judged = known.judge(signs, features)
        distance = float(judged.distance.max())
        found += [each for i in range(len(features)) for each in known.reasons(judged, i, coverage)]
    reasons = tuple(dict.fromkeys(found))
    abstains = bool(reasons) if reasons or known else None
    return Doubt(
        **largest,
        distance=distance,
        objections=tuple(objections),
        reasons=reasons,
        abstains=abstains,
    )
