"""The tissue of a healthy breast, from the skin to the chest wall, as maps on a fixed grid.

Echogenicity is in dB above fat, the reference tissue of BI-RADS (ACR BI-RADS Atlas, 5th ed., 2013).
The order of the layers and their looks follow Stavros, Breast Ultrasound, 2004.
"""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np

from busjax.data.phantom.fields import sheets, smooth_curve, smooth_noise

GRID = 256  # samples a side of every map; images of any size are resized from it


@dataclasses.dataclass(frozen=True)
class Scene:
    """What lies in the plane of the image; every map is (GRID, GRID), depth along the first axis.

    Attributes:
        echogenicity: float32, power of the diffuse scatterers in dB above fat.
        specular: float32, amplitude of the smooth interfaces (1: as strong as the speckle of fat).
        attenuation: float32, dB/cm there and back, in excess of what the scanner compensates.
        mask: uint8, 1 inside the mass.
        depth: of the whole image, in mm.
        width: of the whole image, in mm.
    """

    echogenicity: np.ndarray
    specular: np.ndarray
    attenuation: np.ndarray
    mask: np.ndarray
    depth: float
    width: float

    @property
    def pixel(self) -> tuple[float, float]:
        """Size of a sample in mm: (axial, lateral)."""
        return self.depth / GRID, self.width / GRID

    def coordinates(self) -> tuple[np.ndarray, np.ndarray]:
        """Depth (GRID, 1) and lateral position (1, GRID) of the samples in mm, float32."""
        z, x = (np.arange(GRID, dtype=np.float32) + 0.5 for _ in range(2))
        return z[:, None] * self.pixel[0], x[None, :] * self.pixel[1]

    def noise(self, rng: np.random.Generator, axial: float, lateral: float) -> np.ndarray:
        """Smooth noise (GRID, GRID), mean 0, variance 1, with correlation lengths in mm."""
        dz, dx = self.pixel
        return smooth_noise(rng, (GRID, GRID), axial / dz, lateral / dx)


@dataclasses.dataclass(frozen=True)
class Tissue:
    """How a layer looks.

    Attributes:
        level: mean echogenicity in dB above fat.
        texture: standard deviation of the echogenicity in dB.
        grain: axial and lateral size of that texture in mm.
        sheet: amplitude of the interfaces (septa, Cooper's ligaments, fibrils).
        lobule: axial and lateral distance of these interfaces in mm.
    """

    level: float
    texture: float
    grain: tuple[float, float]
    sheet: float
    lobule: tuple[float, float]


SKIN = Tissue(level=9.0, texture=1.0, grain=(0.3, 3.0), sheet=1.0, lobule=(0.5, 8.0))
FAT = Tissue(level=0.0, texture=1.5, grain=(1.0, 3.0), sheet=1.6, lobule=(1.6, 4.5))
GLAND = Tissue(level=8.0, texture=4.0, grain=(0.6, 2.2), sheet=2.6, lobule=(0.8, 3.0))
MUSCLE = Tissue(level=1.0, texture=3.0, grain=(0.4, 5.0), sheet=2.4, lobule=(0.6, 7.0))
CHEST = Tissue(level=-6.0, texture=4.0, grain=(0.6, 6.0), sheet=1.2, lobule=(1.0, 8.0))


def draw_breast(rng: np.random.Generator) -> Scene:
    """Draws a healthy breast: layers of tissue, folded, with what casts shadows in them."""
    zeros = np.zeros((GRID, GRID), np.float32)
    depth = rng.uniform(30, 48)
    scene = Scene(
        zeros, zeros, zeros, zeros.astype(np.uint8), depth, depth * rng.uniform(0.95, 1.25)
    )
    scene = _fold(rng, _paint_layers(rng, scene))
    return _add_shadows(rng, _add_dark_patches(rng, scene))


def _paint_layers(rng: np.random.Generator, scene: Scene) -> Scene:
    """Skin, fat, gland, fat again, pectoral muscle and chest wall, each with its texture."""
    layers = [
        (SKIN, rng.uniform(0.8, 2.0), 0.1),
        (FAT, rng.uniform(2.0, 12.0), 1.0),
        (GLAND, rng.uniform(8.0, 20.0), 1.2),
        (FAT, rng.uniform(0.5, 4.0), 0.6),
        (MUSCLE, rng.uniform(5.0, 10.0), 0.5),
        (CHEST, scene.depth, 0.0),
    ]
    fattiness = rng.normal(-0.6, 0.7)  # share of fat lobules within the gland, as a z-score
    z, _ = scene.coordinates()
    echogenicity, specular = scene.echogenicity.copy(), scene.specular.copy()
    top = np.zeros((1, GRID), np.float32)
    for tissue, thickness, waviness in layers:
        level, sheet = _texture(rng, scene, tissue)
        if tissue is GLAND:
            fat_level, fat_sheet = _texture(rng, scene, FAT)
            lobule = _ramp(scene.noise(rng, 1.8, 4.0) - fattiness + 0.6, 0.15)
            lobule *= 1.0 if fattiness > -1.5 else 0.0
            level, sheet = (
                a + lobule * (b - a) for a, b in ((level, fat_level), (sheet, fat_sheet))
            )
        inside = z >= top
        echogenicity = np.where(inside, level, echogenicity)
        specular = np.where(inside, sheet, specular)
        border = rng.uniform(0.3, 2.5) * np.exp(-0.5 * ((z - top) / 0.1) ** 2)
        gaps = np.clip(0.6 + 0.5 * smooth_curve(rng, GRID, 20), 0, 1)
        specular = specular + (border * gaps if top.any() else 0)
        curve = smooth_curve(rng, GRID, rng.uniform(15, 50))
        top = top + np.maximum(thickness + waviness * curve, 0.2)
    return dataclasses.replace(
        scene,
        echogenicity=echogenicity.astype(np.float32),
        specular=specular.astype(np.float32),
    )


def _texture(
    rng: np.random.Generator, scene: Scene, tissue: Tissue
) -> tuple[np.ndarray, np.ndarray]:
    """Echogenicity in dB and specular amplitude of a tissue that fills the image."""
    level = tissue.level + rng.normal(0, 1.5) + tissue.texture * scene.noise(rng, *tissue.grain)
    size = rng.uniform(0.7, 1.5)
    lobules = scene.noise(rng, tissue.lobule[0] * size, tissue.lobule[1] * size)
    gaps = np.clip(0.5 + 0.7 * scene.noise(rng, 0.8, 2.5), 0, 2)
    strength = tissue.sheet * rng.uniform(0.4, 1.3)
    return level, strength * gaps * sheets(lobules, thickness=0.6)


def _ramp(values: np.ndarray, softness: float) -> np.ndarray:
    """A smooth step from 0 to 1 where `values` pass 0, over about +- 2 * softness."""
    return 1 / (1 + np.exp(-np.clip(values / softness, -30, 30)))


def _fold(rng: np.random.Generator, scene: Scene) -> Scene:
    """Bends the layers, which the probe presses flat at the skin and nowhere else."""
    z, x = scene.coordinates()
    shift = rng.uniform(0.5, 2.0) * scene.noise(rng, 8.0, 7.0)
    shift += math.tan(math.radians(rng.normal(0, 6))) * (x - scene.width / 2)
    shift *= 1 - np.exp(-z / 5)
    rows = (z + shift) / scene.pixel[0] - 0.5
    columns = np.broadcast_to(np.arange(GRID, dtype=np.float32), rows.shape)
    echogenicity, specular = (
        cv2.remap(
            field, columns, rows.astype(np.float32), cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT
        )
        for field in (scene.echogenicity, scene.specular)
    )
    return dataclasses.replace(scene, echogenicity=echogenicity, specular=specular)


def _add_dark_patches(rng: np.random.Generator, scene: Scene) -> Scene:
    """Isoechoic fat lobules in the gland: dark, without a margin, not to be taken for a mass."""
    z, x = scene.coordinates()
    echogenicity = scene.echogenicity.copy()
    for _ in range(rng.poisson(1.5)):
        centre = rng.uniform(0.2, 0.8, 2) * (scene.depth, scene.width)
        half = rng.uniform(1, 4), rng.uniform(2, 8)
        radius = np.hypot((z - centre[0]) / half[0], (x - centre[1]) / half[1])
        patch = _ramp(1 + 0.3 * scene.noise(rng, 1.5, 2.5) - radius, 0.12)
        echogenicity += patch * (rng.uniform(-5, 0) - 0.8 * echogenicity)
    return dataclasses.replace(scene, echogenicity=echogenicity)


def _add_shadows(rng: np.random.Generator, scene: Scene) -> Scene:
    """What absorbs: poor contact at the skin, steep Cooper's ligaments, uneven tissue."""
    z, x = scene.coordinates()
    attenuation = 1.5 * scene.noise(rng, 4.0, 6.0)
    contact = rng.uniform(0, 6) * np.maximum(smooth_curve(rng, GRID, 20), 0)  # dB
    attenuation += contact / 0.2 * (z < 2.0)  # lost within the first 2 mm
    for _ in range(rng.poisson(1.2)):
        middle = rng.uniform(0.1, 0.5) * scene.depth, rng.uniform(0, scene.width)
        half = rng.uniform(1, 3), rng.uniform(0.4, 1.8)
        blob = np.exp(-0.5 * (((z - middle[0]) / half[0]) ** 2 + ((x - middle[1]) / half[1]) ** 2))
        attenuation += rng.uniform(5, 25) * blob
    return dataclasses.replace(scene, attenuation=attenuation.astype(np.float32))
