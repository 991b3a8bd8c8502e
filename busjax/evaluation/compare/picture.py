"""The picture of a comparison: test images in rows; image, truth and each network in columns."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from etils import epath
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from busjax.classes import CLASSES
from busjax.errors import UserError
from busjax.evaluation import study
from busjax.evaluation.report.charts import MUTED, style
from busjax.evaluation.study import Study
from busjax.runs import results
from busjax.runs.rows import ImageRow

_SIDE = 1.35  # inches of an image


def draw(labels: Sequence[str], studies: Sequence[Study], cases: Sequence[str] = ()) -> bytes:
    """Draws a PNG: the masks as they are, white on black, under the image that they belong to.

    Args:
        labels: names of the studies.
        studies: tested on images that all of them have; with predictions.npz in their folders.
        cases: ids of the images; none: of each class the one whose Dice, averaged over the
            studies, is the median.

    Raises:
        UserError: an image that a study was not tested on; pictures that are missing.
    """
    rows = [{row.id: row for row in one.rows} for one in studies]
    common = [row for row in studies[0].rows if all(row.id in by_id for by_id in rows)]
    shown = list(cases) or _typical(common, rows)
    if not shown:
        raise UserError("no image was tested by all of them: there is nothing to draw")
    if absent := set(shown) - {row.id for row in common}:
        raise UserError(f"'{min(absent)}' was not tested by all of them: give other --cases")
    panels = [_panels(one, shown) for one in studies]
    with style():
        tight = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)
        size = (_SIDE * (2 + len(studies)) + 0.4, (_SIDE + 0.25) * len(shown) + 0.55)
        figure = Figure(figsize=size, layout=tight)
        grid = figure.subplots(len(shown), 2 + len(studies), squeeze=False)
        for line, (id, axes) in enumerate(zip(shown, grid, strict=True)):
            _draw_line(axes, [by_id[id] for by_id in rows], [each[line] for each in panels])
        for axes, title in zip(grid[0], ("image", "truth", *labels), strict=True):
            axes.set_title(title, fontsize=9, color=MUTED)
        phantom = any(one.folds[0].facts.get("source") == "phantom" for one in studies)
        figure.supxlabel("Synthetic phantoms, not BUSI." if phantom else "", fontsize=8)
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=160, metadata={"Software": None})
    return content.getvalue()


def _typical(common: Sequence[ImageRow], rows: Sequence[dict[str, ImageRow]]) -> list[str]:
    """Of each class the image of median Dice, averaged over the studies."""
    ids = []
    for name in CLASSES:
        of_class = [row.id for row in common if row.class_name == name]
        ranked = sorted(of_class, key=lambda id: (sum(by_id[id].dice for by_id in rows), id))
        ids += ranked[len(ranked) // 2 : len(ranked) // 2 + 1]
    return ids


def _panels(one: Study, shown: Sequence[str]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Image, truth and prediction of each case, wherever in the folds it was tested."""
    panels = {}
    for fold in one.folds:
        wanted = set(shown) & {row.id for row in fold.rows}
        if not wanted:
            continue
        folder = epath.Path(one.folder)
        if fold.index is not None:
            folder /= study.fold_name(fold.index)
        pictures = results.read_predictions(folder, one.results_in)
        for index, id in enumerate(pictures.id.tolist()):
            if id in wanted:
                mask = pictures.probability[index] >= 128
                panels[id] = pictures.image[index], pictures.mask[index], mask
    return [panels[id] for id in shown]


def _draw_line(
    line: Sequence[Axes],
    rows: Sequence[ImageRow],
    panels: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> None:
    image, truth, _ = panels[0]
    for axes, pixels in zip(line, (image, truth, *(each[2] for each in panels)), strict=True):
        axes.imshow(pixels, cmap="gray", vmin=0, vmax=255 if pixels is image else 1)
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
        axes.spines[:].set_color(MUTED)
    line[0].set_ylabel(rows[0].class_name, fontsize=9)
    for axes, row in zip(line[2:], rows, strict=True):
        axes.set_xlabel(f"{row.predicted}, Dice {row.dice:.2f}", fontsize=7.5)
