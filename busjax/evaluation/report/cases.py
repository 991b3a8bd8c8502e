"""Which images the report shows, and how truth and prediction are drawn on them."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
from etils import epath
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from busjax import files
from busjax.classes import CLASSES
from busjax.evaluation.report.charts import MUTED, style
from busjax.files import PathLike
from busjax.pages import drawing
from busjax.pages.drawing import PREDICTION, TRUTH, Panel, Picture
from busjax.runs.finished import Run, read_run
from busjax.runs.rows import ImageRow


@dataclasses.dataclass(frozen=True)
class Case:
    """One image of the test set as it is shown.

    Attributes:
        rank: 'best', 'median' or 'worst' of its class, or 'only'.
        row: its results.
        image: (H, W) uint8.
        truth: outlines of the annotation, each (points, 2) x, y in pixels.
        prediction: outlines of the predicted mask, likewise.
    """

    rank: str
    row: ImageRow
    image: np.ndarray
    truth: list[np.ndarray]
    prediction: list[np.ndarray]

    @property
    def picture(self) -> Picture:
        """The image, the image with the truth, the image with the prediction."""
        height, width = self.image.shape
        panels = (
            Panel("image"),
            Panel("truth", drawing.path(self.truth), TRUTH),
            Panel("prediction", drawing.path(self.prediction), PREDICTION, is_filled=True),
        )
        identifier = f"{self.row.class_name}-{self.rank}"
        source = drawing.pixels(self.image)
        return Picture(self.row.id, identifier, source, width, height, panels)


def cases_of(run: Run, class_name: str) -> list[Case]:
    """The best, median and worst image of a class by Dice, then by the true class's probability."""

    def quality(row: ImageRow) -> tuple[float, float]:
        return row.dice, row.probabilities[CLASSES.index(class_name)]

    ranked = sorted(run.rows_of(class_name), key=quality)
    if not ranked:
        return []
    if len(ranked) == 1:
        return [_case(run, "only", ranked[0])]
    shown = {"best": ranked[-1], "median": ranked[len(ranked) // 2], "worst": ranked[0]}
    if len(ranked) == 2:
        del shown["median"]
    return [_case(run, rank, row) for rank, row in shown.items()]


def _case(run: Run, rank: str, row: ImageRow) -> Case:
    pictures = run.pictures
    (index,) = np.flatnonzero(pictures.id == row.id)
    return Case(
        rank=rank,
        row=row,
        image=pictures.image[index],
        truth=drawing.outlines(pictures.mask[index].astype(np.float64), level=0.5),
        prediction=drawing.outlines(pictures.probability[index].astype(np.float64), level=127.5),
    )


def overlay_figure(directory: PathLike, path: PathLike) -> None:
    """Writes a PNG of a run: a row a class (its median image), columns image, truth, prediction.

    Args:
        directory: folder of the run.
        path: the PNG to write.

    Raises:
        UserError: the run folder is missing or incomplete.
    """
    run = read_run(directory)
    typical = [cases for name in CLASSES if (cases := cases_of(run, name))]
    shown = [cases[len(cases) // 2] for cases in typical]
    with style():
        tight = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)
        figure = Figure(figsize=(6.4, 2.2 * len(shown) + 0.45), layout=tight)
        grid = figure.subplots(len(shown), 3, squeeze=False)
        for line, case in zip(grid, shown, strict=True):
            _draw_line(line, case)
        for axes, title in zip(grid[0], ("image", "truth", "prediction"), strict=True):
            axes.set_title(title, fontsize=10, color=MUTED)
        source = "Synthetic phantoms, not BUSI. " if run.is_phantom else ""
        figure.supxlabel(f"{source}Of each class the test image of median Dice.", fontsize=8)
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=160, metadata={"Software": None})
    files.replace(epath.Path(path), content.getvalue())


def _draw_line(line: np.ndarray, case: Case) -> None:
    for axes in line:
        axes.imshow(case.image, cmap="gray", vmin=0, vmax=255, extent=_extent(case.image))
        axes.set(xticks=[], yticks=[])
        axes.grid(False)
        axes.spines[:].set_visible(False)
    _draw_outlines(line[1], case.truth, TRUTH, opacity=0.0)
    _draw_outlines(line[2], case.prediction, PREDICTION, opacity=0.28)
    line[0].set_ylabel(case.row.class_name, fontsize=10)
    line[2].set_xlabel(f"{case.row.predicted}, Dice {case.row.dice:.2f}", fontsize=9)


def _draw_outlines(axes: Axes, outlines: list[np.ndarray], colour: str, opacity: float) -> None:
    for outline in outlines:
        axes.plot(*outline.T, color=colour, linewidth=1.6)
        axes.fill(*outline.T, color=colour, alpha=opacity, linewidth=0)


def _extent(image: np.ndarray) -> tuple[float, float, float, float]:
    """Pixel edges at whole numbers, as in the outlines."""
    height, width = image.shape
    return 0.0, float(width), float(height), 0.0
