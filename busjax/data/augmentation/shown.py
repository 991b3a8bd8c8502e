"""What is shown of a training image: a part or all of it, covered, in a manner, warped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from busjax.classes import NORMAL
from busjax.config import Augment, Config
from busjax.data import fitting
from busjax.data.augmentation import crops, erasure, style
from busjax.data.augmentation.transforms import augment
from busjax.data.fitting import Area
from busjax.data.records import RecordSource
from busjax.data.resized import Example, Resized


def in_detail(source: RecordSource, ids: Sequence[str], config: Config) -> Resized | None:
    """The images at twice the size, to take parts from; None where none are asked for."""
    asked = config.augment
    if not asked.enabled or not asked.crop_normal + asked.crop_lesion:
        return None
    return Resized(source, ids, 2 * config.data.image_size, config.data.fit)


def shown(
    example: Example,
    resized: Resized,
    detailed: Resized | None,
    rng: np.random.Generator,
    config: Config,
) -> Example:
    """Draws what a network is shown of an image.

    Args:
        example: of `resized`.
        resized: all training images.
        detailed: the same to take parts from; None: they are shown whole.
        rng: source of all randomness.
        config: the whole configuration.

    Returns:
        The example, changed; its mask may be empty and its label 'normal'.
    """
    size, area = config.data.image_size, resized.areas[example["index"]]
    if detailed:
        example, area = _part(example, area, detailed, rng, config)
    example = _covered(example, area, rng, config.augment)
    image, mask = area.of(example["image"]), area.of(example["mask"])
    image = _in_manner(image, resized, rng, config.augment)
    # What lies around the image is none of it: it stays black, whatever is done to the image.
    changed = augment(image, mask, rng, config.augment)
    image, mask = (fitting.in_square(part, area, size) for part in changed)
    return {**example, "image": image, "mask": mask}


def _part(
    example: Example, area: Area, detailed: Resized, rng: np.random.Generator, config: Config
) -> tuple[Example, Area]:
    """What is shown of an image, and its place in the square."""
    index, size, fit = example["index"], config.data.image_size, config.data.fit
    whole = detailed.areas[index]
    image, mask = whole.of(detailed.images[index]), whole.of(detailed.masks[index])
    part, kind = crops.draw(mask, rng, config.augment)
    if kind == crops.WHOLE:
        return example, area
    area = fitting.place(part.shape, size, fit)
    shown: Example = {
        "image": fitting.fit_image(part.of(image), area, size).astype(np.float32) / 255,
        "mask": fitting.fit_mask(part.of(mask), area, size),
        **({"inside": fitting.inside(area, size)} if "inside" in example else {}),
    }
    if kind == crops.NORMAL_PART:
        shown["label"] = np.full_like(example["label"], NORMAL)
    return {**example, **shown}, area


def _covered(example: Example, area: Area, rng: np.random.Generator, config: Augment) -> Example:
    """An image whose lesion, or whose tissue beside it, is now and then filled."""
    if not config.enabled or not config.erase_lesion + config.erase_beside:
        return example
    chance = rng.random()
    if chance >= config.erase_lesion + config.erase_beside:
        return example
    mask = area.of(example["mask"])
    of_lesion = chance < config.erase_lesion and bool(mask.any())
    filled = (erasure.lesion if of_lesion else erasure.beside)(area.of(example["image"]), mask, rng)
    if filled is None:
        return example
    image = example["image"].copy()
    area.of(image)[:] = filled
    if not of_lesion:
        return {**example, "image": image}
    mask, label = np.zeros_like(example["mask"]), np.full_like(example["label"], NORMAL)
    return {**example, "image": image, "mask": mask, "label": label}


def _in_manner(
    image: np.ndarray, others: Resized, rng: np.random.Generator, config: Augment
) -> np.ndarray:
    """An image, now and then in the manner of another one of the training images."""
    for chance, change in (
        (config.amplitudes, style.mix_amplitudes),
        (config.histogram, style.match_histogram),
    ):
        if config.enabled and chance and rng.random() < chance:
            index = int(rng.integers(len(others)))
            other = others.areas[index].of(others.images[index]).astype(np.float32) / 255
            image = change(image, other, rng)
    return image
