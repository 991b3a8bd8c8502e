"""The charts of a comparison, as SVG in the style of the report."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from busjax.classes import CLASSES
from busjax.evaluation import study
from busjax.evaluation.report.charts import (
    CLASS_COLOURS,
    INK,
    box_and_points,
    draw_reliability,
    number_or_nan,
    prepare_reliability,
    style,
    svg,
)
from busjax.evaluation.study import Study

_HEIGHT, _LINE = 1.0, 0.42  # inches: of axes and margins, of each study
_SCORES = {"Dice": "dice_average", "accuracy": "accuracy"}
_BINS = 8  # of the reliability: few enough to hold images of a fold


def dice_chart(labels: Sequence[str], studies: Sequence[Study], class_name: str) -> str:
    """SVG of the Dice of every image of a class, a line a study: points, quartiles, mean."""
    with style():
        figure = Figure(figsize=(5.2, _HEIGHT + _LINE * len(studies)), layout="constrained")
        axes = figure.subplots()
        for position, one in enumerate(studies):
            values = [row.dice for row in one.rows if row.class_name == class_name]
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
        histories = [study.histories(one) for one in studies]
        for axes, (name, score) in zip(by_epoch, _SCORES.items(), strict=True):
            for folds in histories:
                axes.plot(*mean_by_epoch(folds, score), linewidth=1.4)
            axes.set(xlabel="epoch", ylabel=f"{name}, validation", ylim=(0, 1))
        prepare_reliability(last)
        last.set_xlabel(f"{last.get_xlabel()}, test")
        for index, (label, one) in enumerate(zip(labels, studies, strict=True)):
            at = draw_reliability(last, one.rows, f"C{index}", _BINS)
            last.plot(*at, color=f"C{index}", label=label, linewidth=1)
        figure.legend(loc="outside upper left", ncols=6, fontsize=10)
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=100)
        return content.getvalue()


def mean_by_epoch(
    histories: Sequence[Sequence[dict[str, Any]]], score: str
) -> tuple[list[int], list[float]]:
    """The epochs that all folds have, and the mean of a validation score at each."""
    folds = [
        {entry["epoch"]: number_or_nan(entry["validation"].get(score)) for entry in history}
        for history in histories
    ]
    epochs = sorted(set.intersection(*map(set, folds)))
    return epochs, [float(np.mean([fold[epoch] for fold in folds])) for epoch in epochs]
