"""Paired image and mask transforms with an explicit random generator."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from busjax.config import Augment
from busjax.data.augmentation import overlays

# Mirrored tissue carries its mirrored mask, so image and mask stay true to each other. Zeros
# would frame the image with black wedges, which no scanner makes and a network can learn from.
_BORDER = cv2.BORDER_REFLECT_101


def augment(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator, config: Augment
) -> tuple[np.ndarray, np.ndarray]:
    """Flips and warps image and mask together, changes the image's grey levels, draws over it.

    Args:
        image: (H, W) float32 in [0, 1].
        mask: (H, W) uint8, 0 or 1.
        rng: source of all randomness.
        config: `config.augment`.

    Returns:
        image: (H, W) float32 in [0, 1].
        mask: (H, W) uint8, 0 or 1; not empty where it was not.
    """
    if not config.enabled:
        return image, mask
    image, mask = _flip(image, mask, rng, config)
    image, mask = _warp(image, mask, rng, config)
    image = _change_grey_levels(image, rng, config)
    if config.overlay and rng.random() < config.overlay:
        image = overlays.draw(image, mask, rng)
    return image, mask


def _flip(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator, config: Augment
) -> tuple[np.ndarray, np.ndarray]:
    for probability, axis in ((config.flip_horizontal, 1), (config.flip_vertical, 0)):
        if rng.random() < probability:
            image, mask = cv2.flip(image, axis), cv2.flip(mask, axis)
    return image, mask


def _warp(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator, config: Augment
) -> tuple[np.ndarray, np.ndarray]:
    """Samples image (bilinear) and mask (nearest) once, at the affine plus the elastic map."""
    affine = rng.random() < config.affine
    elastic = rng.random() < config.elastic
    if not (affine or elastic):
        return image, mask
    h, w = image.shape
    sampled_at = _grid(h, w)
    if affine:
        sampled_at = cv2.transform(sampled_at, _affine_matrix(h, w, rng, config))
    if elastic:
        sampled_at = sampled_at + _displacements(h, w, rng, config)
    x, y = cv2.split(sampled_at)
    warped = cv2.remap(mask, x, y, cv2.INTER_NEAREST, borderMode=_BORDER)
    if mask.any() and not warped.any():  # the lesion has left the image: its class would be a lie
        return image, mask
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=_BORDER), warped


# At 256 x 256 it takes as long as both samplings; padded images are of many sizes.
@functools.lru_cache(maxsize=64)
def _grid(h: int, w: int) -> np.ndarray:
    """Returns the (x, y) of every pixel, (H, W, 2) float32; not to be written."""
    x, y = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    return np.stack([x, y], axis=-1)


def _affine_matrix(h: int, w: int, rng: np.random.Generator, config: Augment) -> np.ndarray:
    """Draws zoom, shear and rotation about the centre, then a translation: (2, 3), for (x, y, 1).

    It leads from output to input coordinates; as every range is symmetric, what happens to the
    image has the same distribution.
    """
    angle, shear = np.radians(rng.uniform(-1, 1, 2) * (config.rotate, config.shear))
    zoom = (1 + config.scale) ** rng.uniform(-1, 1)
    shift = rng.uniform(-1, 1, 2) * config.translate * (w, h)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = zoom * rotation @ [[1, np.tan(shear)], [0, 1]]
    centre = np.array([w - 1, h - 1]) / 2
    return np.column_stack([linear, centre + shift - linear @ centre])


def _displacements(h: int, w: int, rng: np.random.Generator, config: Augment) -> np.ndarray:
    """Draws smooth displacements along (x, y) in pixels, (H, W, 2) float32.

    Gaussian-filtered noise (Simard, Steinkraus and Platt, Best practices for convolutional neural
    networks, ICDAR 2003), made on a coarse grid on which the filter is two cells wide and scaled
    up: a tenth of the time, and the same field at every image size.
    """
    cells = max(4, round(2 / config.elastic_sigma))
    noise = rng.standard_normal((cells, cells, 2), dtype=np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    field = cv2.resize(smooth, (w, h), interpolation=cv2.INTER_CUBIC)
    largest = rng.uniform(0, config.elastic_alpha)
    return field * (np.array([w, h], np.float32) * np.float32(largest / np.abs(field).max()))


def _change_grey_levels(image: np.ndarray, rng: np.random.Generator, config: Augment) -> np.ndarray:
    """Changes brightness, contrast and gamma, adds speckle, blurs; the result is in [0, 1]."""
    offset, contrast, log_gamma = rng.uniform(-1, 1, 3) * (
        config.brightness,
        config.contrast,
        config.gamma,
    )
    mean = image.mean()
    image = (image - mean) * np.float32(1 + contrast) + np.float32(mean + offset)
    image = cv2.pow(np.clip(image, 0, 1), np.exp(log_gamma))
    if rng.random() < config.speckle:
        spread = np.float32(rng.uniform(0, config.speckle_sigma))
        image = image * (1 + spread * rng.standard_normal(image.shape, dtype=np.float32))
    if rng.random() < config.blur:
        # At least a sigma that does nothing: for 0, OpenCV wants the size of the kernel instead.
        sigma = max(rng.uniform(0, config.blur_sigma) * max(image.shape), 1e-3)
        image = cv2.GaussianBlur(image, (0, 0), sigma, borderType=_BORDER)
    return np.clip(image, 0, 1)
