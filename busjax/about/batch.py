"""The first batch of a training as a picture: images as the network sees them, annotations."""

from __future__ import annotations

import io
import math
import os

import numpy as np
from matplotlib.figure import Figure

from busjax.classes import CLASSES
from busjax.config import Config
from busjax.data import pipeline, sources, splits
from busjax.data.pipeline import Shard
from busjax.evaluation.report.charts import style
from busjax.pages.drawing import TRUTH, outlines

_COLUMNS = 4
_MOST = 16  # images, of a larger batch the first ones
_SIDE = 2.0  # inches of an image


def draw(config: Config) -> bytes:
    """PNG of the first batch, augmented and resized.

    Raises:
        UserError: the data is not there, or too small for a batch.
    """
    source = sources.open_source(config.data, os.getcwd())
    split = splits.first(config.data, source)
    batches = pipeline.train_batches(source, split.train, config, Shard())
    try:
        batch = next(batches)
    finally:
        batches.close()
    ids = [split.train[index] for index in batch["index"]]
    count = min(len(ids), _MOST)
    with style():
        rows = math.ceil(count / _COLUMNS)
        size = (_SIDE * _COLUMNS, (_SIDE + 0.3) * rows + 0.3)
        figure = Figure(figsize=size, layout="constrained", facecolor="white")
        grid = figure.subplots(rows, _COLUMNS, squeeze=False)
        for index, axes in enumerate(grid.flat):
            axes.set_axis_off()
            if index < count:
                image, mask = batch["image"][index], batch["mask"][index]
                height, width = mask.shape[:2]
                axes.imshow(
                    image[..., 0], cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0)
                )
                for curve in outlines(mask[..., 0].astype(np.float64), level=0.5):
                    axes.plot(*curve.T, color=TRUTH, linewidth=1.2)
                axes.set_title(f"{ids[index]}\n{CLASSES[batch['label'][index]]}", fontsize=8)
        figure.supxlabel(f"{source.description}: the first batch", fontsize=8)
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=110, metadata={"Software": None})
    return content.getvalue()
