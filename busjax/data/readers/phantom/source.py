"""Phantoms as records: the embedded default where no data is at hand."""

from __future__ import annotations

import cv2
import numpy as np

from busjax.classes import BENIGN, CLASSES, MALIGNANT
from busjax.data.readers.phantom import kept
from busjax.data.readers.phantom.anatomy import GRID, draw_breast
from busjax.data.readers.phantom.imaging import draw_scanner, scan
from busjax.data.readers.phantom.lesion import draw_benign, draw_malignant, insert_mass
from busjax.data.records import Record


class PhantomSource:
    """Synthetic records, each a function of the seed and its index alone.

    Args:
        count: records, 1 or more; their classes take turns, in the order of `CLASSES`.
        seed: 0 or more; another seed, other phantoms.
        size: pixels a side, 1 or more; the same scenes at any size.
    """

    name = "phantom"

    def __init__(self, count: int, seed: int, size: int) -> None:
        self._seed = seed
        self._size = size
        self.ids = tuple(f"phantom {index:04d}" for index in range(count))
        self.groups = self.ids
        self.labels = np.arange(count, dtype=np.int32) % len(CLASSES)
        self.remarks: tuple[str, ...] = ()
        self.description = (
            f"{count} synthetic phantoms (seed {seed}), simulated ultrasound: not BUSI, no patients"
        )

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Record:
        """The record at an index in [0, count); IndexError beyond it."""
        if not 0 <= index < len(self):
            raise IndexError(f"no phantom {index} among {len(self)}")
        label = int(self.labels[index])

        def make() -> np.ndarray:
            image, mask = _phantom(self._seed, int(index), label)
            image, mask = (_resize(array, self._size) for array in (image, mask))
            return np.stack([np.rint(255 * image), mask > 0.5]).astype(np.uint8)

        image, mask = kept.read(f"{self._seed}_{index}", self._size, make)
        return Record(self.ids[index], image, mask, label, self.groups[index])


def _phantom(seed: int, index: int, label: int) -> tuple[np.ndarray, np.ndarray]:
    """Image and mask, (GRID, GRID) float32 in [0, 1]."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, index]))
    scanner = draw_scanner(rng)
    scene = draw_breast(rng)
    if label == BENIGN:
        scene = insert_mass(rng, scene, draw_benign(rng))
    elif label == MALIGNANT:
        scene = insert_mass(rng, scene, draw_malignant(rng))
    return scan(rng, scene, scanner), scene.mask.astype(np.float32)


def _resize(array: np.ndarray, size: int) -> np.ndarray:
    """Resizes (GRID, GRID) to (size, size), averaging where it shrinks."""
    interpolation = cv2.INTER_AREA if size < GRID else cv2.INTER_LINEAR
    return cv2.resize(array, (size, size), interpolation=interpolation)
