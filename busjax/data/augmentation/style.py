"""The grey levels of one image in the manner of another: of another scanner, gain or clinic."""

from __future__ import annotations

import numpy as np

from busjax.data.pixels import resize

_WIDEST = 0.05  # of the shorter side: frequencies up to which amplitudes are mixed


def mix_amplitudes(image: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gives an image low frequencies between its own and another's.

    Their amplitudes are mixed by a share that is drawn, and the phases, which hold the anatomy,
    stay (Yang and Soatto, CVPR 2020, arXiv:2004.05498, eq. 3; mixed as Liu et al., CVPR 2021,
    arXiv:2103.06030, eq. 3).

    Args:
        image: (H, W) float32 in [0, 1].
        other: another image, of any size.
        rng: source of all randomness.

    Returns:
        (H, W) float32 in [0, 1].
    """
    height, width = image.shape
    own = np.fft.fft2(image)
    theirs = np.abs(np.fft.fft2(resize(np.ascontiguousarray(other), height, width)))
    reach = max(1.0, rng.uniform(0, _WIDEST) * min(height, width))
    down, across = (np.abs(np.fft.fftfreq(side) * side) for side in (height, width))
    low = (down[:, None] <= reach) & (across[None] <= reach)
    amplitude = np.abs(own)
    share = rng.uniform(0, 1)
    mixed = np.where(low, (1 - share) * amplitude + share * theirs, amplitude)
    scaled = own * (mixed / np.maximum(amplitude, 1e-9))
    return np.clip(np.fft.ifft2(scaled).real, 0, 1).astype(np.float32)


def match_histogram(image: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gives an image grey levels between its own and those of equal rank in another.

    Args:
        image: (H, W) float32 in [0, 1].
        other: another image, of any size.
        rng: source of all randomness.

    Returns:
        (H, W) float32 in [0, 1]; equal levels stay equal, and their order stays.
    """
    levels, place, counts = np.unique(image, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2) / image.size
    theirs = np.quantile(other, np.linspace(0, 1, 257))
    matched = np.interp(ranks, np.linspace(0, 1, 257), theirs)
    share = rng.uniform(0, 1)
    mixed = (1 - share) * levels + share * matched
    return mixed[place].reshape(image.shape).astype(np.float32)
