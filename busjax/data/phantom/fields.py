"""Random fields that tissue is made of: smooth noise, and the thin sheets between its lobules."""

from __future__ import annotations

import math

import cv2
import numpy as np

_COARSE_SIGMA = 2.0  # samples; noise is drawn on the coarsest grid that still resolves it


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
    steps = [max(1.0, length / _COARSE_SIGMA) for length in (axial, lateral)]
    sigmas = [length / step for length, step in zip((axial, lateral), steps, strict=True)]
    margin = int(3 * _COARSE_SIGMA)
    coarse = [int(np.ceil(n / step)) + 1 for n, step in zip(shape, steps, strict=True)]
    white = rng.standard_normal([n + 2 * margin for n in coarse], dtype=np.float32)
    smooth = cv2.GaussianBlur(white, (0, 0), sigmaX=sigmas[1], sigmaY=sigmas[0])
    smooth = smooth[margin:-margin, margin:-margin] * math.sqrt(4 * math.pi * sigmas[0] * sigmas[1])
    # An affine map keeps the correlation lengths exact, whatever the rounding of the coarse grid.
    scale = np.array([[1 / steps[1], 0, 0], [0, 1 / steps[0], 0]], np.float32)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(smooth, scale, shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)


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
