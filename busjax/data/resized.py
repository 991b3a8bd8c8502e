"""Images and masks of some ids in the square that a network sees, held in memory."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from busjax.data import fitting
from busjax.data.records import RecordSource
from busjax.errors import UserError

Example = dict[str, np.ndarray]
"""One image, or b of them with a leading axis:

image: (H, W, C) float32 in [0, 1].
mask: (H, W, 1) float32, 0 or 1.
inside: (H, W, 1) float32, 1 on the image and 0 around it; with `config.data.fit=pad` alone.
label: () int32, index into `CLASSES`.
valid: () float32, 1; 0 for padding, which counts nowhere.
index: () int32, position within the ids that the batches were asked for.
"""


class Resized:
    """Images and masks of some ids, fitted once into a square and held in memory as uint8.

    Attributes:
        images: (N, size, size) uint8, grey levels in [0, 255].
        masks: (N, size, size) uint8, 0 or 1; a lesion never vanishes.
        labels: (N,) int32, indices into `CLASSES`.
        areas: of each image its place in the square.
    """

    def __init__(
        self, source: RecordSource, ids: Sequence[str], size: int, fit: str = fitting.STRETCH
    ) -> None:
        """Decodes and fits.

        Args:
            source: of the records.
            ids: of those to fit.
            size: pixels a side.
            fit: `config.data.fit`.

        Raises:
            UserError: an id that the source lacks.
        """
        places = positions(source, ids)
        self.images = np.empty((len(ids), size, size), np.uint8)
        self.masks = np.empty((len(ids), size, size), np.uint8)
        self.labels = np.asarray(source.labels, np.int32)[places]
        self.areas = [fitting.place((size, size), size, fit)] * len(ids)
        self._fit = fit

        def fill(i: int) -> None:
            record = source[places[i]]
            self.areas[i] = area = fitting.place(record.image.shape, size, fit)
            self.images[i] = fitting.fit_image(record.image, area, size)
            self.masks[i] = fitting.fit_mask(record.mask, area, size)

        with ThreadPoolExecutor() as pool:  # a phantom takes tens of milliseconds
            list(pool.map(fill, range(len(ids))))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Example:
        """Returns one image without channels: image and mask are (size, size), mask is uint8."""
        size = self.images.shape[-1]
        padded = self._fit == fitting.PAD
        return {
            "image": self.images[index].astype(np.float32) / 255,
            "mask": self.masks[index],
            **({"inside": fitting.inside(self.areas[index], size)} if padded else {}),
            "label": self.labels[index],
            "valid": np.float32(1),
            "index": np.int32(index),
        }


def positions(source: RecordSource, ids: Sequence[str]) -> np.ndarray:
    """Where in the source the ids are.

    Raises:
        UserError: an id that the source lacks.
    """
    position_of = {id: position for position, id in enumerate(source.ids)}
    missing = [id for id in ids if id not in position_of]
    if missing:
        raise UserError(
            f"The data lacks images asked for ({len(missing)} of {len(ids)}), such as"
            f" '{missing[0]}': use the data that the split was drawn from."
        )
    return np.array([position_of[id] for id in ids], np.int64)
