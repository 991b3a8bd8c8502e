"""Paired image and mask transforms with an explicit random generator."""

from __future__ import annotations

import cv2
import numpy as np
from ml_collections import ConfigDict

# Mirrored tissue carries its mirrored mask, so image and mask stay true to each other. Zeros
# would frame the image with black wedges, which no scanner makes and a network can learn from.
_BORDER = cv2.BORDER_REFLECT_101


def augment(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator, config: ConfigDict
) -> tuple[np.ndarray, np.ndarray]:
    """Flips and warps image and mask together, then changes the grey levels of the image.

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
    return _change_grey_levels(image, rng, config), mask


def _flip(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator, config: ConfigDict
) -> tuple[np.ndarray, np.ndarray]:
    for probability, axis in ((config.flip_horizontal, 1), (config.flip_vertical, 0)):
        if rng.random() < probability:
            image, mask = cv2.flip(image, axis), cv2.flip(mask, axis)
    return image, mask


def _warp(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator, config: ConfigDict
) -> tuple[np.ndarray, np.ndarray]:
    """Samples image (bilinear) and mask (nearest) once, at the affine plus the elastic map."""
    affine = rng.random() < config.affine
    elastic = rng.random() < config.elastic
    if not (affine or elastic):
        return image, mask
    h, w = image.shape
    x, y = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    if affine:
        x, y = _affine_map(x, y, rng, config)
    if elastic:
        dx, dy = _displacements(h, w, rng, config)
        x, y = x + dx, y + dy
    warped = cv2.remap(mask, x, y, cv2.INTER_NEAREST, borderMode=_BORDER)
    if mask.any() and not warped.any():  # the lesion has left the image: its class would be a lie
        return image, mask
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=_BORDER), warped


def _affine_map(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator, config: ConfigDict
) -> tuple[np.ndarray, np.ndarray]:
    """Maps pixel coordinates (H, W): zoom, shear and rotation about the centre, then translation.

    The map leads from the output to the input; every range is symmetric, so that the transform
    of the image has the same distribution.
    """
    h, w = x.shape
    angle, shear = np.radians(rng.uniform(-1, 1, 2) * (config.rotate, config.shear))
    zoom = (1 + config.scale) ** rng.uniform(-1, 1)
    shift_x, shift_y = rng.uniform(-1, 1, 2) * config.translate * (w, h)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.array([[cos, -sin], [sin, cos]]) @ [[1, np.tan(shear)], [0, 1]] * zoom
    (a, b), (c, d) = matrix.astype(np.float32)
    centre_x, centre_y = np.float32((w - 1) / 2), np.float32((h - 1) / 2)
    x, y = x - centre_x, y - centre_y
    return (
        a * x + b * y + (centre_x + np.float32(shift_x)),
        c * x + d * y + (centre_y + np.float32(shift_y)),
    )


def _displacements(
    h: int, w: int, rng: np.random.Generator, config: ConfigDict
) -> tuple[np.ndarray, np.ndarray]:
    """Draws smooth displacements in pixels, each (H, W) float32.

    Gaussian-filtered noise (Simard, Steinkraus and Platt, Best practices for convolutional neural
    networks, ICDAR 2003), made on a coarse grid on which the filter is two cells wide and scaled
    up: a tenth of the time, and the same field at every image size.
    """
    cells = max(4, round(2 / config.elastic_sigma))
    noise = rng.standard_normal((cells, cells, 2), dtype=np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    amplitude = rng.uniform(0, config.elastic_alpha)
    smooth *= amplitude / np.abs(smooth).max()
    field = cv2.resize(smooth, (w, h), interpolation=cv2.INTER_CUBIC)
    return field[..., 0] * np.float32(w), field[..., 1] * np.float32(h)


def _change_grey_levels(
    image: np.ndarray, rng: np.random.Generator, config: ConfigDict
) -> np.ndarray:
    """Changes brightness, contrast and gamma, adds speckle, blurs; the result is in [0, 1]."""
    side = max(image.shape)
    offset, contrast, log_gamma = rng.uniform(-1, 1, 3) * (
        config.brightness,
        config.contrast,
        config.gamma,
    )
    mean = image.mean()
    image = (image - mean) * np.float32(1 + contrast) + np.float32(mean + offset)
    image = cv2.pow(np.clip(image, 0, 1), np.exp(log_gamma))
    if rng.random() < config.speckle:
        sigma = np.float32(rng.uniform(0, config.speckle_sigma))
        image = image * (1 + sigma * rng.standard_normal(image.shape, dtype=np.float32))
    if rng.random() < config.blur:
        sigma = rng.uniform(0, config.blur_sigma) * side
        image = _blur(image, sigma)
    return np.clip(image, 0, 1)


def _blur(image: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), sigma, borderType=_BORDER)
