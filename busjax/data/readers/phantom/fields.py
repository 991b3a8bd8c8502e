"""Random fields that tissue is made of: smooth noise, and the thin sheets between its lobules."""

from __future__ import annotations

import math

import cv2
import numpy as np

_COARSE_SIGMA = 2.0  # samples; noise is drawn on the coarsest grid that still resolves it
_MARGIN = 6  # samples; what the smoothing reaches beyond the grid


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], axial: float, lateral: float
) -> np.ndarray:
    """Gaussian noise with a Gaussian autocorrelation, mean 0 and variance 1.

    Args:
        rng: the source of randomness.
        shape: (H, W) of the result.
        axial: standard deviation of the smoothing kernel down a column, in pixels.
        lateral: the same along a row.

    Returns:
        (H, W) float32.
    """
    steps = [max(1, int(length / _COARSE_SIGMA)) for length in (axial, lateral)]
    sigma_z, sigma_x = axial / steps[0], lateral / steps[1]
    coarse = [-(-n // step) + 2 * _MARGIN for n, step in zip(shape, steps, strict=True)]
    white = rng.standard_normal(coarse, dtype=np.float32)
    white *= math.sqrt(4 * math.pi * sigma_z * sigma_x)  # 1 / the norm of the kernel
    noise = cv2.GaussianBlur(white, (0, 0), sigmaX=sigma_x, sigmaY=sigma_z)
    noise = noise[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    fine = (noise.shape[1] * steps[1], noise.shape[0] * steps[0])
    return cv2.resize(noise, fine, interpolation=cv2.INTER_CUBIC)[: shape[0], : shape[1]]


def smooth_curve(rng: np.random.Generator, length: int, sigma: float) -> np.ndarray:
    """A smooth random curve, (length,) float32, mean 0 and variance 1; sigma in pixels."""
    return smooth_noise(rng, (1, length), axial=_COARSE_SIGMA, lateral=sigma)[0]


def sheets(noise: np.ndarray, thickness: float) -> np.ndarray:
    """Thin curved sheets along the zero crossings of a noise, seen by a beam from above.

    An interface answers as its normal turns to the beam, so each point is weighted by the squared
    cosine of that angle: level sheets are bright and upright ones vanish.

    Args:
        noise: (H, W) float32, smooth.
        thickness: standard deviation across the sheet, in pixels.

    Returns:
        (H, W) float32 in [0, 1].
    """
    down = cv2.Sobel(noise, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    across = cv2.Sobel(noise, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    slope = down**2 + across**2 + 1e-12
    # |noise| / |gradient| is the distance to the zero crossing, to first order.
    return np.exp(-0.5 * noise**2 / (slope * thickness**2)) * down**2 / slope
