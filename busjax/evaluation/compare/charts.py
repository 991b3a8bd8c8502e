"""The charts of a comparison, as SVG in the style of the report."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from busjax.classes import CLASSES
from busjax.evaluation.report.charts import CLASS_COLOURS, INK, LINE, box_and_points, style, svg
from busjax.evaluation.results import labels_and_probabilities
from busjax.evaluation.study import Study
from busjax.metrics.calibration import reliability

_HEIGHT, _LINE = 1.0, 0.42  # inches: of axes and margins, of each study
_SCORES = {"Dice": "dice_average", "accuracy": "accuracy"}
_BINS = 8  # of the reliability: few enough to hold images of a fold


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


def curves(labels: Sequence[str], studies: Sequence[Study]) -> bytes:
    """PNG: validation scores by epoch, mean over folds, and accuracy by confidence on test."""
    with style():
        figure = Figure(figsize=(13, 4.6), layout="constrained", facecolor="white")
        *by_epoch, last = figure.subplots(1, 3)
        for axes, (name, score) in zip(by_epoch, _SCORES.items(), strict=True):
            for study in studies:
                axes.plot(*_mean_by_epoch(study, score), linewidth=1.4)
            axes.set(xlabel="epoch", ylabel=f"{name}, validation", ylim=(0, 1))
        last.plot([0, 1], [0, 1], color=LINE, linewidth=1.2)
        for label, study in zip(labels, studies, strict=True):
            found = reliability(*labels_and_probabilities(study.rows), bins=_BINS)
            known = found.images > 0
            at = found.confidence[known], found.accuracy[known]
            (line,) = last.plot(*at, label=label, linewidth=1)
            # A point that few images make is small.
            size = 8 + 250 * found.images[known] / found.images.sum()
            last.scatter(*at, s=size, color=line.get_color(), zorder=3)
        last.set(xlabel="probability of the predicted class, test", ylabel="share that is right")
        last.set(xlim=(0.3, 1.03), ylim=(0, 1.03))
        figure.legend(loc="outside upper left", ncols=6, fontsize=10)
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=100)
        return content.getvalue()


def _mean_by_epoch(study: Study, score: str) -> tuple[list[int], list[float]]:
    """The epochs that all folds have, and the mean of a validation score at each."""
    folds = [{e["epoch"]: e["validation"].get(score) for e in f.history} for f in study.folds]
    epochs = sorted(set.intersection(*(set(fold) for fold in folds)))
    values = [[math.nan if fold[e] is None else fold[e] for fold in folds] for e in epochs]
    return epochs, [float(np.mean(at)) for at in values]
