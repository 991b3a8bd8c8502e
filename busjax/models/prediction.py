"""What networks say of an image -> what is delivered: views, members, calibration, refinement."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from busjax.classes import NORMAL
from busjax.models import uncertainty
from busjax.models.network import MultiTaskNet, Outputs
from busjax.models.refine import refine
from busjax.models.uncertainty import Uncertainty
from busjax.ops.interface import Array

# The axes of (B, H, W, C) along which each view of the image is flipped.
FLIPS: dict[str, tuple[tuple[int, ...], ...]] = {
    "none": ((),),
    "horizontal": ((), (2,)),
    "both": ((), (2,), (1,), (1, 2)),
}
_SMALLEST = 1e-12  # of a probability whose logarithm is taken


@flax.struct.dataclass
class Calibration:
    """What validation images tell of the probabilities.

    Attributes:
        threshold: () float32 in (0, 1), the mask's probability from which on a pixel is tumour.
        temperature: () float32 above 0, by which the logits of the classes are divided.
    """

    threshold: Any = flax.struct.field(default_factory=lambda: np.float32(0.5))
    temperature: Any = flax.struct.field(default_factory=lambda: np.float32(1.0))


@flax.struct.dataclass
class Ensemble:
    """Networks of one architecture, whose probabilities are averaged.

    Attributes:
        members: variables of each, at least one.
        calibration: of their mean.
    """

    members: tuple[Any, ...]
    calibration: Calibration = flax.struct.field(default_factory=Calibration)


@flax.struct.dataclass
class Prediction:
    """What a user sees: probabilities, calibrated and refined.

    Attributes:
        mask: (B, H, W, 1) float32 in [0, 1]; 0.5 or more inside the tumour.
        classes: (B, classes) float32, rows sum to 1.
        uncertainty: of each image; None where there are probabilities alone.
        features: (B, C) float32, what the first member sees of the image as it is: see `Outputs`.
    """

    mask: Array
    classes: Array
    uncertainty: Uncertainty | None = None
    features: Array | None = None


def predict(
    network: MultiTaskNet,
    ensemble: Ensemble,
    image: Array,
    flips: str = "none",
    refinement: str = "none",
    inside: Array | None = None,
) -> Prediction:
    """Maps images to what is delivered.

    Args:
        network: of every member.
        ensemble: the variables of the members, and their calibration.
        image: (B, H, W, C) float32 in [0, 1].
        flips: a key of `FLIPS`: the probabilities of so many views are averaged.
        refinement: a key of `refine.REFINEMENTS`.
        inside: (B, H, W, 1), 1 on the image and 0 around it; None: the image fills the square.
    """
    said = augmented_outputs(network, ensemble, image, flips, inside)
    return average(said, ensemble.calibration, refinement, inside)


def augmented_outputs(
    network: MultiTaskNet,
    ensemble: Ensemble,
    image: Array,
    flips: str = "none",
    inside: Array | None = None,
) -> list[Outputs]:
    """What every member says of every view of the images, flipped back; the plain one first.

    Arguments as those of `predict`.
    """
    # One array, so that both are cut and flipped together.
    whole = image if inside is None else jnp.concatenate([image, inside.astype(image.dtype)], -1)
    of_views = []
    for variables in ensemble.members:
        for axes in FLIPS[flips]:
            outputs = _evaluate(network, variables, jnp.flip(whole, axes), image.shape[-1])
            masks = tuple(jnp.flip(mask, axes) for mask in outputs.mask_logits)
            of_views.append(dataclasses.replace(outputs, mask_logits=masks))
    return of_views


def _evaluate(network: MultiTaskNet, variables: Any, whole: Array, channels: int) -> Outputs:
    """What is said of images, in the first channels, of which the last may be `inside`."""

    def evaluate(part: Array) -> Outputs:
        inside = part[..., channels:] if part.shape[-1] > channels else None
        said = network.apply(variables, part[..., :channels], train=False, inside=inside)
        return cast(Outputs, said)

    encoder = network.encoder
    return encoder.spec.ops.map_batch(evaluate, whole, encoder.dtype)


def average(
    said: list[Outputs],
    calibration: Calibration,
    refinement: str = "none",
    inside: Array | None = None,
) -> Prediction:
    """Averages the probabilities of all views, calibrates and refines them; see `postprocess`.

    There is no tumour around an image: see `predict`.
    """
    masks = [jax.nn.sigmoid(outputs.mask_logits[0]) for outputs in said]
    masks = masks if inside is None else [mask * inside for mask in masks]
    classes = [jax.nn.softmax(outputs.class_logits) for outputs in said]
    mean_mask, mean_classes = (sum(views) / len(said) for views in (masks, classes))
    delivered = postprocess(mean_mask, mean_classes, calibration, refinement)
    unsure = uncertainty.of_views(masks, classes)
    return dataclasses.replace(delivered, uncertainty=unsure, features=said[0].features)


def postprocess(mask: Any, classes: Any, calibration: Calibration, refinement: str) -> Prediction:
    """Calibrates probabilities, then makes mask and class agree.

    Args:
        mask: (B, H, W, 1) float32 in [0, 1].
        classes: (B, classes) float32, rows sum to 1.
        calibration: of both.
        refinement: a key of `refine.REFINEMENTS`.
    """
    mask = shifted(mask, calibration.threshold)
    logits = jnp.log(jnp.maximum(classes, _SMALLEST))
    classes = jax.nn.softmax(logits / calibration.temperature)
    return Prediction(*refine(mask, classes, refinement, NORMAL))


def shifted(probability: Any, threshold: Any) -> Any:
    """Shifts the logit of a probability so that `threshold` becomes 0.5; 0, 1 and order stay."""
    inside = probability * (1.0 - threshold)
    return inside / (inside + (1.0 - probability) * threshold)
