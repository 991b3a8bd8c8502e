"""The tissue of a healthy breast, from the skin to the chest wall, as maps on a fixed grid.

Echogenicity is in dB above fat, the reference tissue of BI-RADS (ACR BI-RADS Atlas, 5th ed., 2013).
The order of the layers and their looks follow Stavros, Breast Ultrasound, 2004.
"""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np

from busjax.data.readers.phantom.fields import sheets, smooth_curve, smooth_noise

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
FAT = Tissue(level=0.0, texture=1.5, grain=(0.5, 1.5), sheet=2.2, lobule=(1.4, 3.5))
GLAND = Tissue(level=9.0, texture=5.5, grain=(0.35, 1.1), sheet=4.0, lobule=(0.55, 2.0))
MUSCLE = Tissue(level=2.0, texture=4.0, grain=(0.3, 2.5), sheet=4.0, lobule=(0.5, 4.0))
CHEST = Tissue(level=-6.0, texture=4.0, grain=(0.5, 4.0), sheet=2.0, lobule=(1.0, 5.0))


def draw_breast(rng: np.random.Generator) -> Scene:
    """Draws a healthy breast: layers of tissue, folded, with what casts shadows in them."""
    blank = np.zeros((GRID, GRID), np.float32)
    depth = rng.uniform(30, 48)
    width = depth * rng.uniform(0.95, 1.25)
    scene = Scene(blank, blank, blank, blank.astype(np.uint8), depth, width)
    scene = _fold(rng, _paint_layers(rng, scene))
    return _add_shadows(rng, _add_dark_patches(rng, scene))


def _paint_layers(rng: np.random.Generator, scene: Scene) -> Scene:
    """Skin, fat, gland, fat again, pectoral muscle and chest wall, each below the last."""
    layers = [  # tissue, thickness and waviness of its lower border, both in mm
        (SKIN, rng.uniform(0.8, 2.0), 0.1),
        (FAT, rng.uniform(2.0, 12.0), 1.0),
        (GLAND, rng.uniform(8.0, 20.0), 1.2),
        (FAT, rng.uniform(0.5, 4.0), 0.6),
        (MUSCLE, rng.uniform(5.0, 10.0), 0.5),
        (CHEST, scene.depth, 0.0),
    ]
    z, _ = scene.coordinates()
    gaps = np.clip(0.5 + 0.7 * scene.noise(rng, 0.5, 2.0), 0, 2)  # no interface is unbroken
    echogenicity, specular = scene.echogenicity, scene.specular
    border = np.zeros(GRID, np.float32)
    for tissue, thickness, waviness in layers:
        level, sheet = _texture(rng, scene, tissue)
        if tissue is GLAND:
            level, sheet = _mix_with_fat(rng, scene, level, sheet)
        below = z >= border
        echogenicity = np.where(below, level, echogenicity)
        specular = np.where(below, sheet * gaps, specular)
        if tissue is not SKIN:
            specular = specular + _fascia(rng, z - border)
        wave = smooth_curve(rng, GRID, rng.uniform(15, 50))
        border = border + np.maximum(thickness + waviness * wave, 0.2)
    return dataclasses.replace(scene, echogenicity=echogenicity, specular=specular)


def _texture(
    rng: np.random.Generator, scene: Scene, tissue: Tissue
) -> tuple[np.ndarray, np.ndarray]:
    """Echogenicity in dB and specular amplitude of a tissue that fills the image."""
    axial, lateral = tissue.grain
    grain = scene.noise(rng, axial, lateral)
    bands = scene.noise(rng, 3 * axial, 3 * lateral)
    contrast = tissue.texture * rng.uniform(0.6, 1.3)
    level = tissue.level + rng.normal(0, 1.5) + contrast * (0.8 * grain + 0.6 * bands)
    size = rng.uniform(0.7, 1.5)
    lobules = scene.noise(rng, tissue.lobule[0] * size, tissue.lobule[1] * size)
    return level, tissue.sheet * rng.uniform(0.4, 1.3) * sheets(lobules, thickness=0.6)


def _mix_with_fat(
    rng: np.random.Generator, scene: Scene, level: np.ndarray, sheet: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lobules of fat within the gland: few in a dense breast, most of it in a fatty one."""
    fat_level, fat_sheet = _texture(rng, scene, FAT)
    share = rng.normal(-0.9, 0.7)  # of the fat, as a z-score
    fat = _ramp(scene.noise(rng, 1.8, 4.0) + share, 0.15)
    return level + fat * (fat_level - level), sheet + fat * (fat_sheet - sheet)


def _fascia(rng: np.random.Generator, below: np.ndarray) -> np.ndarray:
    """The bright line between two layers, broken here and there; `below`: mm under the border."""
    strength = np.clip(0.6 + 0.5 * smooth_curve(rng, GRID, 20), 0, 1)
    return rng.uniform(0.3, 2.5) * strength * np.exp(-0.5 * (below / 0.1) ** 2)


def _ramp(values: np.ndarray, softness: float) -> np.ndarray:
    """A smooth step from 0 to 1 where `values` pass 0, over about +- 2 * softness."""
    return 1 / (1 + np.exp(-np.clip(values / softness, -30, 30)))


def _fold(rng: np.random.Generator, scene: Scene) -> Scene:
    """Bends and tilts the layers, which the probe presses flat at the skin and nowhere else."""
    z, x = scene.coordinates()
    shift = rng.uniform(0.5, 2.0) * scene.noise(rng, 8.0, 7.0)
    shift += math.tan(math.radians(rng.normal(0, 6))) * (x - scene.width / 2)
    shift *= 1 - np.exp(-z / 5)
    rows = (z + shift) / scene.pixel[0] - 0.5
    columns = np.broadcast_to(np.arange(GRID, dtype=np.float32), rows.shape)
    echogenicity, specular = (
        cv2.remap(field, columns, rows, cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT)
        for field in (scene.echogenicity, scene.specular)
    )
    return dataclasses.replace(scene, echogenicity=echogenicity, specular=specular)


def _add_dark_patches(rng: np.random.Generator, scene: Scene) -> Scene:
    """Fat lobules on their own: dark and without a capsule, easily taken for a mass."""
    z, x = scene.coordinates()
    echogenicity = scene.echogenicity.copy()
    for _ in range(rng.poisson(1.5)):
        middle_z = rng.uniform(0.2, 0.8) * scene.depth
        middle_x = rng.uniform(0.2, 0.8) * scene.width
        u, v = (x - middle_x) / rng.uniform(2, 8), (z - middle_z) / rng.uniform(1, 4)
        patch = _ramp(1 + 0.3 * scene.noise(rng, 1.5, 2.5) - np.hypot(u, v), 0.2)
        echogenicity += patch * (rng.uniform(-4, 0) - 0.8 * echogenicity)
    return dataclasses.replace(scene, echogenicity=echogenicity)


def _add_shadows(rng: np.random.Generator, scene: Scene) -> Scene:
    """What absorbs: uneven tissue, poor contact at the skin, steep Cooper's ligaments."""
    z, x = scene.coordinates()
    attenuation = 1.5 * scene.noise(rng, 4.0, 6.0)
    contact = rng.uniform(0, 6) * np.maximum(smooth_curve(rng, GRID, 20), 0)  # dB in all
    attenuation += contact / 0.2 * (z < 2.0)  # lost within the first 0.2 cm
    for _ in range(rng.poisson(1.2)):
        middle_z = rng.uniform(0.1, 0.5) * scene.depth
        middle_x = rng.uniform(0, scene.width)
        u, v = (x - middle_x) / rng.uniform(0.6, 2.5), (z - middle_z) / rng.uniform(1.5, 4)
        attenuation += rng.uniform(2, 10) * np.exp(-0.5 * (u**2 + v**2))
    return dataclasses.replace(scene, attenuation=attenuation)
