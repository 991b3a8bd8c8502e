"""What a scanner shows of a scene: scatterers, point spread function, envelope, compression.

The image is a convolution of the scatterers with a point spread function that varies with depth,
in complex baseband (IQ), as in COLE (Gao et al., IEEE TUFFC 56, 2009, 404-409); Field II (Jensen,
Med. Biol. Eng. Comput. 34, 1996, 351-353) is the reference for what it leaves out.
"""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np

from busjax.data.readers.phantom.anatomy import GRID, Scene
from busjax.data.readers.phantom.fields import smooth_curve


@dataclasses.dataclass(frozen=True)
class Scanner:
    """A probe and the settings of its scanner.

    Attributes:
        axial: standard deviation of the pulse in mm.
        lateral: standard deviation of the beam at the focus in mm.
        focus: depth of the focus in mm.
        widening: growth of the beam's width, per focal depth away from the focus.
        looks: spatially compounded images.
        noise: level of the electronic noise in dB above the speckle of fat at the skin.
        contrast: dynamic range from black to white over the spread of the levels in an image.
        grey_map: exponent of the curve from compressed echoes to grey levels.
        brightness: mean level in [0, 1] near the skin, before the grey map.
        fall: how much darker the bottom of the image is than its top, before the grey map.
        smoothing: grey levels in [0, 1] that the speckle reduction takes for noise.
    """

    axial: float
    lateral: float
    focus: float
    widening: float
    looks: int
    noise: float
    contrast: float
    grey_map: float
    brightness: float
    fall: float
    smoothing: float


def draw_scanner(rng: np.random.Generator) -> Scanner:
    """A linear probe of 8 to 14 MHz, set up by someone or other."""
    return Scanner(
        axial=rng.uniform(0.08, 0.15),
        lateral=rng.uniform(0.18, 0.3),
        focus=rng.uniform(12, 25),
        widening=rng.uniform(0.2, 0.7),
        looks=int(rng.integers(2, 4)),
        noise=rng.uniform(-48, -34),
        contrast=rng.uniform(6.2, 7.6),
        grey_map=rng.uniform(1.2, 2.1),
        brightness=rng.uniform(0.6, 0.74),
        fall=rng.uniform(0.2, 0.55),
        smoothing=rng.uniform(0.03, 0.2),
    )


def scan(rng: np.random.Generator, scene: Scene, scanner: Scanner) -> np.ndarray:
    """The B-mode image of a scene: (GRID, GRID) float32, grey levels in [0, 1]."""
    received = 10 ** (-received_loss(scene) / 20)
    # The receiver's noise is Gaussian as the speckle is, and uncorrelated: their powers add.
    diffuse = np.hypot(10 ** (scene.echogenicity / 20) * received, 10 ** (scanner.noise / 20))
    specular = scene.specular * received
    envelope = np.zeros((GRID, GRID), np.float32)
    for _ in range(scanner.looks):
        iq = convolve(scatter(rng, diffuse, specular), scene, scanner)
        envelope += np.hypot(iq[..., 0], iq[..., 1]) / scanner.looks
    level = 20 * np.log10(envelope + 1e-6)
    return reduce_speckle(compress(rng, compensate_depth(level), scanner), scanner)


def received_loss(scene: Scene) -> np.ndarray:
    """Loss in dB of the echo of each sample: what the tissue above it absorbs, there and back.

    The aperture sees a sample from a range of angles, which softens the sides of a shadow.
    """
    loss = np.cumsum(scene.attenuation, axis=0) * (scene.pixel[0] / 10)
    return cv2.GaussianBlur(loss, (0, 0), sigmaX=0.5 / scene.pixel[1], sigmaY=1e-3)


def scatter(rng: np.random.Generator, diffuse: np.ndarray, specular: np.ndarray) -> np.ndarray:
    """Complex scatterers, (GRID, GRID, 2) float32: real and imaginary part.

    Unresolved scatterers sum to a circular complex Gaussian, whose envelope is Rayleigh
    (Burckhardt, IEEE Trans. Sonics Ultrason. 25, 1978, 1-6); interfaces add a coherent part.
    `diffuse` (root mean square) and `specular` are (GRID, GRID) amplitudes.
    """
    scatterers = rng.standard_normal((*diffuse.shape, 2), dtype=np.float32)
    scatterers *= (diffuse / math.sqrt(2))[..., None]
    scatterers[..., 0] += specular
    return scatterers


def convolve(scatterers: np.ndarray, scene: Scene, scanner: Scanner) -> np.ndarray:
    """Convolves with a Gaussian pulse and a beam that widens away from the focus.

    The beams of three depths are blended linearly. The kernels have unit energy, so that a tissue
    keeps the same mean power at every depth.
    """
    dz, dx = scene.pixel
    z, _ = scene.coordinates()
    knots = np.linspace(0, scene.depth, 3)
    pulse = _unit_energy(scanner.axial / dz)
    blended = np.zeros_like(scatterers)
    for index, knot in enumerate(knots):
        away = abs(knot / scanner.focus - 1)
        beam = _unit_energy(scanner.lateral * (1 + scanner.widening * away) / dx)
        zone = np.interp(z[:, 0], knots, np.eye(len(knots))[index]).astype(np.float32)
        blended += zone[:, None, None] * cv2.sepFilter2D(scatterers, -1, beam, pulse)
    return blended


def _unit_energy(sigma: float) -> np.ndarray:
    """A Gaussian kernel, standard deviation in pixels, whose squares sum to 1."""
    kernel = cv2.getGaussianKernel(2 * int(np.ceil(3 * sigma)) + 1, sigma, cv2.CV_32F)
    return kernel / np.sqrt(np.sum(kernel**2))


def compensate_depth(level: np.ndarray) -> np.ndarray:
    """Time-gain compensation: sliders set by eye until all depths have the same mean level.

    `level` is the envelope in dB, (GRID, GRID). Setting the gain on the image takes the mean
    brightness of an image, or of a band of it, away as a sign of what is in it.
    """
    mean = level.mean(axis=1, keepdims=True)
    return level - cv2.GaussianBlur(mean, (0, 0), sigmaX=1e-3, sigmaY=25)


def compress(rng: np.random.Generator, level: np.ndarray, scanner: Scanner) -> np.ndarray:
    """Grey levels in [0, 1] of levels in dB about 0, (GRID, GRID), over 42 to 70 dB.

    As with the gain, the dynamic range follows the image: what has little contrast gets more.
    """
    dynamic_range = np.clip(scanner.contrast * level.std(), 42, 70)
    depth = np.linspace(0, 1, GRID, dtype=np.float32)
    middle = scanner.brightness - scanner.fall * depth + 0.04 * smooth_curve(rng, GRID, 40)
    return np.clip(middle[:, None] + level / dynamic_range, 0, 1) ** scanner.grey_map


def reduce_speckle(image: np.ndarray, scanner: Scanner) -> np.ndarray:
    """Smooths the grain and keeps the edges, as scanners do before they show an image.

    A bilateral filter (Tomasi and Manduchi, ICCV 1998) stands for what each maker has of its own.
    """
    return cv2.bilateralFilter(image, d=5, sigmaColor=scanner.smoothing, sigmaSpace=1.2)
