"""Phantoms, and copies of them changed in every way that copies in circulation were."""

import cv2
import numpy as np
import pytest
from PIL import Image

from busjax.classes import CLASSES
from busjax.data.readers.phantom import PhantomSource

COUNT, SIDE = 18, 256


def _text(image):
    for line, words in enumerate(("LT BREAST 3:00", "RAD D1 12.4mm")):
        cv2.putText(image, words, (8, 20 + 18 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 255, 1)
    cv2.drawMarker(image, (90, 120), 255, cv2.MARKER_CROSS, 9)
    cv2.drawMarker(image, (150, 130), 255, cv2.MARKER_CROSS, 9)
    return image


def _frame(image, rng):
    """A neighbouring frame: moved a little, squeezed by the probe, other noise."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    wave = 2.0 * np.sin(columns / 40 + rng.uniform(0, 6))
    moved = cv2.remap(image, columns + 4, 1.02 * rows + wave, cv2.INTER_LINEAR)
    noise = rng.normal(1, 0.06, image.shape)
    return np.clip(moved * noise, 0, 255).astype(np.uint8)


CHANGES = {
    "same": lambda image, rng: image.copy(),
    "rescaled": lambda image, rng: cv2.resize(image, (190, 140), interpolation=cv2.INTER_AREA),
    "cropped": lambda image, rng: image[20:220, 30:245],
    "brighter": lambda image, rng: np.clip(255 * (image / 255) ** 0.7 * 1.1, 0, 255).astype(
        np.uint8
    ),
    "written on": lambda image, rng: _text(image.copy()),
    "mirrored": lambda image, rng: image[:, ::-1],
    "next frame": _frame,
}


@pytest.fixture(scope="session")
def phantoms():
    source = PhantomSource(COUNT, 3, SIDE)
    return [source[index] for index in range(COUNT)]


@pytest.fixture(scope="session")
def changes():
    return CHANGES


@pytest.fixture(scope="session")
def folder(phantoms, changes, tmp_path_factory):
    """Eighteen phantoms; benign (7) is a copy of (1), malignant (7) of benign (2)."""
    root = tmp_path_factory.mktemp("busi")
    rng = np.random.default_rng(0)
    numbers = dict.fromkeys(CLASSES, 0)

    def write(image, mask, name):
        numbers[name] += 1
        stem = root / name / f"{name} ({numbers[name]})"
        stem.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(f"{stem}.png")
        if mask is not None:
            Image.fromarray(mask).save(f"{stem}_mask.png")

    first = {}
    for record in phantoms:
        name = CLASSES[record.label]
        first.setdefault(name, []).append(record)
        write(record.image, None if name == "normal" else record.mask * 255, name)
    one, two = first["benign"][:2]
    write(changes["rescaled"](one.image, rng), cv2.resize(one.mask * 255, (190, 140)), "benign")
    write(changes["written on"](two.image, rng), np.roll(two.mask * 255, 60, axis=1), "malignant")
    (root / "normal" / "normal (99).png").write_text("no image")
    return root
