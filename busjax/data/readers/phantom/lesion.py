"""Masses: the shapes, margins and posterior features by which BI-RADS tells them apart.

Benign: oval, wider than tall, circumscribed, a thin echogenic capsule, enhancement behind it.
Malignant: irregular, spiculated, angular or microlobulated, an echogenic halo, a shadow behind it
(Stavros et al., Radiology 196, 1995, 123-134; ACR BI-RADS Atlas, 5th ed., 2013). Each sign is
missing now and then, as it is in patients.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from busjax.data.readers.phantom.anatomy import Scene


@dataclasses.dataclass(frozen=True)
class Mass:
    """The signs of one mass.

    Attributes:
        aspect: height over width.
        outline: (K,) float32, relative radius at K angles, once around.
        level: echogenicity in dB above fat.
        texture: standard deviation of the echogenicity inside, in dB.
        blur: thickness of the margin in mm.
        capsule: amplitude of the thin bright capsule; 0: none.
        halo: echogenicity of the halo above its surroundings, in dB; 0: none.
        absorption: attenuation inside less that of the tissue, in dB/cm there and back.
        edge: attenuation of the rays that graze the sides (refraction), in dB/cm.
    """

    aspect: float
    outline: np.ndarray
    level: float
    texture: float
    blur: float
    capsule: float
    halo: float
    absorption: float
    edge: float


_ANGLES = np.linspace(0, 2 * np.pi, 360, endpoint=False, dtype=np.float32)


def draw_benign(rng: np.random.Generator) -> Mass:
    """A fibroadenoma (most often) or a cyst."""
    cyst = rng.random() < 0.25
    lobulated = not cyst and rng.random() < 0.3
    enhanced = cyst or rng.random() < 0.85
    return Mass(
        aspect=float(np.clip(rng.lognormal(math.log(0.65), 0.2), 0.4, 1.1)),
        outline=_waves(rng, (2, 3, 4), 0.05 if lobulated else 0.02),
        level=rng.uniform(-45, -25) if cyst else rng.uniform(-13, -7),
        texture=0.0 if cyst else 1.0,
        blur=0.15,
        capsule=rng.uniform(0.2, 1.0),
        halo=0.0,
        absorption=-rng.uniform(5, 10) if enhanced else 0.0,
        edge=rng.uniform(5, 20) if rng.random() < 0.6 else 0.0,
    )


def draw_malignant(rng: np.random.Generator) -> Mass:
    """An invasive carcinoma."""
    margin = _MARGINS[rng.integers(len(_MARGINS))]
    shadowed = rng.random() < 0.85
    return Mass(
        aspect=float(np.clip(rng.lognormal(math.log(0.88), 0.28), 0.45, 1.5)),
        outline=_waves(rng, (2, 3, 4, 5), 0.07) * margin(rng),
        level=rng.uniform(-13, -7),
        texture=rng.uniform(2, 4.5),
        blur=rng.uniform(0.2, 0.6),
        capsule=0.0,
        halo=rng.uniform(3, 8) if rng.random() < 0.8 else 0.0,
        absorption=rng.uniform(5, 14) if shadowed else rng.uniform(-2, 2),
        edge=0.0,
    )


def _waves(rng: np.random.Generator, orders: tuple[int, ...], amplitude: float) -> np.ndarray:
    """A relative radius with random harmonics of the given orders."""
    phases = rng.uniform(0, 2 * np.pi, len(orders))
    weights = rng.normal(0, amplitude, len(orders)) * orders[0] / np.array(orders)
    return 1 + sum(
        w * np.cos(k * _ANGLES + p) for k, p, w in zip(orders, phases, weights, strict=True)
    )


def _spiculated(rng: np.random.Generator) -> np.ndarray:
    """Sharp spikes at random angles."""
    radius = np.ones_like(_ANGLES)
    for angle in rng.uniform(0, 2 * np.pi, rng.integers(7, 14)):
        distance = np.abs((_ANGLES - angle + np.pi) % (2 * np.pi) - np.pi)
        radius += rng.uniform(0.15, 0.5) * np.exp(-distance / rng.uniform(0.06, 0.14))
    return radius


def _angular(rng: np.random.Generator) -> np.ndarray:
    """Straight sides that meet in corners: a star polygon."""
    count = rng.integers(7, 11)
    corners = np.sort(rng.uniform(0, 2 * np.pi, count))
    radii = rng.uniform(0.65, 1.3, count)
    return np.interp(_ANGLES, corners, radii, period=2 * np.pi)


def _microlobulated(rng: np.random.Generator) -> np.ndarray:
    """Many small bulges with sharp clefts between them."""
    count = rng.integers(5, 9)
    warp = 0.3 * np.sin(_ANGLES + rng.uniform(0, 2 * np.pi))
    bulge = np.abs(np.sin(0.5 * count * _ANGLES + count * warp + rng.uniform(0, np.pi)))
    return 0.82 + rng.uniform(0.2, 0.35) * bulge


_MARGINS = (_spiculated, _angular, _microlobulated)


def insert_mass(rng: np.random.Generator, scene: Scene, mass: Mass) -> Scene:
    """Puts a mass into a breast; its area and place do not depend on its signs."""
    radius, angle = _place(rng, scene, mass.aspect)
    outline = mass.outline / np.sqrt(np.mean(mass.outline**2))  # now it leaves the area as it is
    margin = np.interp(angle, _ANGLES, outline, period=2 * np.pi).astype(np.float32)
    distance, facing = _margin_distance(scene, radius - margin)

    inside = 1 / (1 + np.exp(np.clip(2 * distance / mass.blur, -30, 30)))
    halo = np.clip(0.7 + 0.5 * scene.noise(rng, 1.0, 2.0), 0, 2)
    halo *= mass.halo * np.exp(-np.maximum(distance, 0) / rng.uniform(0.8, 2.0))
    around = scene.echogenicity + halo
    within = mass.level + mass.texture * scene.noise(rng, 0.8, 1.2)
    capsule = mass.capsule * np.exp(-0.5 * ((distance - 0.15) / 0.1) ** 2) * (0.15 + facing)
    grazed = np.exp(-0.5 * (distance / 0.5) ** 2) * (1 - facing) ** 4
    return dataclasses.replace(
        scene,
        echogenicity=around + inside * (within - around),
        specular=scene.specular * (1 - inside) + capsule,
        attenuation=scene.attenuation + mass.absorption * inside + mass.edge * grazed,
        mask=(distance <= 0).astype(np.uint8),
    )


def _place(rng: np.random.Generator, scene: Scene, aspect: float) -> tuple[np.ndarray, np.ndarray]:
    """Polar coordinates (radius, angle) in which the mass is about the unit disc, (GRID, GRID)."""
    area = scene.depth * scene.width * math.exp(rng.uniform(math.log(0.025), math.log(0.15)))
    half_width = math.sqrt(area / (math.pi * aspect))  # mm
    half_height = half_width * aspect
    lowest = 0.85 * scene.depth - half_height
    middle_z = min(max(rng.normal(0.38, 0.1) * scene.depth, half_height + 3), lowest)
    middle_x = rng.uniform(0.3, 0.7) * scene.width
    tilt = math.radians(rng.normal(0, 8))
    z, x = scene.coordinates()
    z, x = z - middle_z, x - middle_x
    u = (x * math.cos(tilt) + z * math.sin(tilt)) / half_width
    v = (z * math.cos(tilt) - x * math.sin(tilt)) / half_height
    return np.hypot(u, v), np.arctan2(v, u)


def _margin_distance(scene: Scene, excess: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the margin in mm (negative inside), and how much the margin faces the beam.

    `excess` is the relative radius beyond the margin. Dividing it by its slope turns it into a
    distance, to first order. It faces the beam (1) at its top and bottom and not at all (0) at its
    sides: cos^2 of the angle of its normal.
    """
    down, across = np.gradient(excess, *scene.pixel)
    slope = np.hypot(down, across) + 1e-6
    return excess / slope, (down / slope) ** 2
