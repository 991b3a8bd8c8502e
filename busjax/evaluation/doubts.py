"""What a network leaves open of the images of an evaluation, and of which it is silent."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from etils import epath

from busjax import processes
from busjax.config import Config
from busjax.models.prediction import FLIPS
from busjax.networks import abstention
from busjax.networks.abstention import Abstention, signs_of
from busjax.networks.ensemble import member_folders
from busjax.runs.rows import ImageRow

Outputs = dict[str, np.ndarray]
"""'uncertainty' (N, 5) and 'features' (N, C), as `training.steps.eval_step` gives them."""


_OF_VIEWS = ("mask_disagreement", "class_disagreement")  # of a single view there are none


def fitted(outputs: Outputs, groups: Sequence[str], place: epath.Path | None) -> Abstention | None:
    """When to say 'I do not know', as validation images tell it; None where they are too few.

    Args:
        outputs: of these images.
        groups: of each.
        place: the folder of the run, to keep it in; None: it is not kept.
    """
    found = abstention.fit(signs_of(outputs["uncertainty"]), outputs["features"], groups)
    if found and place and processes.is_first():
        abstention.save(place, found)
    return found


def told(
    rows: Sequence[ImageRow], outputs: Outputs, known: Abstention | None, config: Config
) -> list[ImageRow]:
    """The rows with what is left open of each image.

    Args:
        rows: one an image.
        outputs: of the same images.
        known: when to say 'I do not know'.
        config: with the share of the images to say something of, and the views that are averaged.
    """
    signs = signs_of(outputs["uncertainty"])
    columns: dict[str, Sequence[Any]] = {
        "mask_uncertainty": signs["mask"].tolist(),
        "class_uncertainty": signs["classes"].tolist(),
        "contradiction": signs["contradiction"].tolist(),
    }
    if len(FLIPS[config.inference.flips]) * (1 + len(member_folders(config.inference))) > 1:
        columns |= {name: signs[name].tolist() for name in _OF_VIEWS}
    if known:
        judged = known.judge(signs, outputs["features"])
        abstains = known.abstains(judged, config.inference.coverage)
        columns |= {
            "novelty": judged.distance.tolist(),
            "doubt": judged.doubt.tolist(),
            "abstains": abstains.astype(int).tolist(),
        }
    return [
        dataclasses.replace(row, **{name: column[index] for name, column in columns.items()})
        for index, row in enumerate(rows)
    ]
