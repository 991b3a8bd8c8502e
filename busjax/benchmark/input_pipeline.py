"""The input pipeline alone: PNG files to augmented batches."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from busjax.classes import CLASSES
from busjax.data import pipeline
from busjax.data.readers.busi import BusiSource
from busjax.data.resized import Resized
from busjax.variants import load_variant

_IMAGES = 48
_SHAPE = (471, 562)  # pixels, about the median of BUSI
_BATCHES = 60


@dataclasses.dataclass(frozen=True)
class Rates:
    """Images a second.

    Attributes:
        decoded: read from PNG files and resized once, before training; over all cores.
        augmented: that reach the train step, over the threads of the configuration.
        augmented_a_core: the same for each second of a core.
    """

    decoded: float
    augmented: float
    augmented_a_core: float


def measure(side: int) -> Rates:
    """Times the pipeline on noise in the layout of BUSI, for images of so many pixels a side."""
    config = load_variant("unetpp")
    config = config.but(data={"image_size": side})
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder))
        start = time.perf_counter()
        source = BusiSource(folder, on_bad="error")
        Resized(source, source.ids, side)
        decoded = len(source.ids) / (time.perf_counter() - start)
        batches = pipeline.train_batches(source, source.ids, config, pipeline.Shard())
    with contextlib.closing(batches):
        for _ in range(4 * config.data.prefetch):  # what was read ahead does not count
            next(batches)
        start, cores = time.perf_counter(), time.process_time()
        for _ in range(_BATCHES):
            next(batches)
        images = _BATCHES * config.train.batch_size
        seconds, core_seconds = time.perf_counter() - start, time.process_time() - cores
    return Rates(decoded, images / seconds, images / core_seconds)


def _write(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(1, _IMAGES + 1):
        name = CLASSES[number % len(CLASSES)]
        (folder / name).mkdir(exist_ok=True)
        image = cv2.GaussianBlur(rng.integers(0, 256, _SHAPE).astype(np.uint8), (5, 5), 0)
        mask = np.zeros(_SHAPE, np.uint8)
        if name != "normal":
            cv2.circle(mask, (280, 230), 60, 255, -1)
        cv2.imwrite(str(folder / name / f"{name} ({number}).png"), image)
        cv2.imwrite(str(folder / name / f"{name} ({number})_mask.png"), mask)
