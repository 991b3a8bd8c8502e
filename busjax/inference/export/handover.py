"""A trained network as a folder to hand over: see `networks.portable`."""

from __future__ import annotations

import datetime
import functools
from importlib import metadata
from typing import Any

import jax
import numpy as np
from etils import epath

from busjax.errors import UserError
from busjax.evaluation import model_card, scores, study
from busjax.evaluation.unseen import tested
from busjax.files import PathLike
from busjax.inference import NOTE
from busjax.models import architectures, prediction
from busjax.models.prediction import Calibration, Ensemble
from busjax.networks import portable
from busjax.networks.places import open_network
from busjax.networks.trained import Trained
from busjax.runs import results

_SCORES = ("dice_average", "dice_benign", "dice_malignant", "dice_normal", "iou_average",
           "accuracy", "f1_weighted", "auc_macro", "ece")  # fmt: skip
_PER_BATCH = 6  # images that a stored network is compared on


def hand_over(
    place: PathLike,
    out: epath.Path,
    images: np.ndarray,
    dtype: str = "float32",
    licence: str = "",
    notes: str = "",
) -> float:
    """Writes a network into a folder; returns the largest difference of its probabilities.

    Args:
        place: the network, see `places.find`.
        out: the folder.
        images: (n, S, S, 1) float32 in [0, 1], to compare on.
        dtype: in which the weights are stored.
        licence: of the weights, in words; '': as it was handed over, else not stated.
        notes: Markdown that is added to the model card.

    Raises:
        UserError: there is no network; the folder holds something else.
    """
    trained = open_network(place)
    if out.exists() and any(out.iterdir()) and not portable.exists(out):
        raise UserError(f"--out={out} holds other files: give another folder")
    if out.resolve() == trained.place.resolve():
        raise UserError(f"--out={out} is the network itself: give another folder")
    about = {
        "licence": licence or _licence(trained.place),
        "scores": _scores(trained.place),
        "malignancy_threshold": tested.frozen(trained.place),
        "busjax": metadata.version("busjax"),
        "exported": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "note": NOTE,
    }
    portable.write(out, trained, about, _with(_card(trained), notes.strip()), dtype)
    return _difference(trained, portable.read(out), images[:_PER_BATCH])


def _licence(place: epath.Path) -> str | None:
    """That of a network that was handed over before."""
    return portable.content(place).get("licence") if portable.exists(place) else None


def _scores(place: epath.Path) -> dict[str, Any] | None:
    """Of the test part of its run, with 95 % intervals; None where it was not evaluated."""
    if portable.exists(place):
        return dict(portable.content(place).get("scores") or {}) or None
    if not results.exist(place):
        return None
    summary = scores.summarise(study.read(place))
    return {
        "images": f"test part of: {summary['description']}",
        "count": summary["n_images"],
        "values": {name: summary["pooled"].get(name) for name in _SCORES},
        "interval_95": {
            name: summary["interval"][name] for name in _SCORES if name in summary["interval"]
        },
    }


def _with(card: str, notes: str) -> str:
    """A card with a text after it, unless it has that already."""
    return card if notes in card else f"{card.rstrip()}\n\n{notes}\n"


def _card(trained: Trained) -> str:
    path = trained.place / model_card.FILE
    if path.exists():
        return path.read_text(encoding="utf-8")
    return (
        f"# {trained.config.name}\n\n{NOTE}\n\nTrained on: {trained.trained_on.description}. It "
        "was not evaluated before it was handed over.\n"
    )


def _difference(one: Trained, other: Trained, images: np.ndarray) -> float:
    """The largest of all probabilities, without refinement."""
    model = one.config.model.but(dtype="float32", ops="reference")
    compute = jax.jit(functools.partial(prediction.predict, architectures.build(model)))
    pixels = np.repeat(images, model.image_channels, axis=-1)
    said = [
        jax.device_get(compute(Ensemble((each.variables,), Calibration()), pixels))
        for each in (one, other)
    ]
    pairs = ((said[0].mask, said[1].mask), (said[0].classes, said[1].classes))
    return max(float(np.abs(ours - theirs).max()) for ours, theirs in pairs)
