"""The charts of a comparison, as SVG in the style of the report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from busjax.classes import CLASSES
from busjax.evaluation.report.charts import CLASS_COLOURS, INK, box_and_points, style, svg
from busjax.evaluation.study import Study

_HEIGHT, _LINE = 1.0, 0.42  # inches: of axes and margins, of each study


def dice_chart(labels: Sequence[str], studies: Sequence[Study], class_name: str) -> str:
    """SVG of the Dice of every image of a class, a line a study: points, quartiles, mean."""
    with style():
        figure = Figure(figsize=(5.2, _HEIGHT + _LINE * len(studies)), layout="constrained")
        axes = figure.subplots()
        for position, study in enumerate(studies):
            values = [row.dice for row in study.rows if row.class_name == class_name]
            if values:
                colour = CLASS_COLOURS[class_name]
                box_and_points(axes, position, np.array(values), colour, across=True)
        axes.set_yticks(range(len(studies)), labels, color=INK, fontsize=9)
        axes.set_ylim(len(studies) - 0.4, -0.6)  # the first on top
        axes.set_xlim(-0.03, 1.03)
        axes.set_xlabel(f"Dice, {class_name}")
        axes.grid(axis="x")
        axes.grid(visible=False, axis="y")
        return svg(figure)


def dice_charts(labels: Sequence[str], studies: Sequence[Study]) -> dict[str, str]:
    """A chart of each class, by its name."""
    return {name: dice_chart(labels, studies, name) for name in CLASSES}
