"""Draws a sheet of phantoms: `python -m busjax.data.readers.phantom --out=phantoms.png`."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from absl import app, flags
from matplotlib.figure import Figure

from busjax.classes import CLASSES
from busjax.data.readers.phantom.source import PhantomSource

_OUT = flags.DEFINE_string("out", "docs/images/phantoms.png", "the PNG file to write")
_SEED = flags.DEFINE_integer("seed", 0, "another seed, other phantoms")
_COLUMNS = 4  # phantoms of each class
_SIZE = 192  # pixels a side


def draw_sheet(seed: int) -> Figure:
    """A row of phantoms for each class, masses outlined."""
    source = PhantomSource(_COLUMNS * len(CLASSES), seed, _SIZE)
    figure = Figure(figsize=(6.7, 5.2), dpi=105, layout="constrained")
    grid = figure.subplots(len(CLASSES), _COLUMNS)
    for index in range(len(source)):
        record = source[index]
        axes = grid[record.label, index // len(CLASSES)]
        axes.imshow(record.image, cmap="gray", vmin=0, vmax=255)
        if record.mask.any():
            axes.contour(record.mask, levels=[0.5], colors="#ffb000", linewidths=0.8)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for name, axes in zip(CLASSES, grid[:, 0], strict=True):
        axes.set_ylabel(name, fontsize=11)
    figure.suptitle("Synthetic phantoms, simulated: no patients, not BUSI", fontsize=11)
    return figure


def main(argv: Sequence[str]) -> None:
    """Writes the sheet and says where."""
    del argv
    out = pathlib.Path(_OUT.value)
    out.parent.mkdir(parents=True, exist_ok=True)
    draw_sheet(_SEED.value).savefig(out)
    print(f"wrote {out}")


if __name__ == "__main__":
    app.run(main)
