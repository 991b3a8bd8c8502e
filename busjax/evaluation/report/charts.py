"""The charts of the report: matplotlib figures in one small style, as SVG."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from busjax.classes import CLASSES
from busjax.metrics import selection
from busjax.metrics.calibration import BINS, reliability
from busjax.runs.results import labels_and_probabilities
from busjax.runs.rows import ImageRow

INK, MUTED, LINE = "#1b2430", "#5b6675", "#dfe4ea"
# Those that change in the dark, by their names in style.css.
_THEMED = {
    "ink": (INK, "#e6ebf1"),
    "muted": (MUTED, "#9ba7b5"),
    "line": (LINE, "#313a45"),
    "paper": ("#ffffff", "#181e26"),
}
CLASS_COLOURS = {"benign": "#2f6fc4", "malignant": "#c4502f", "normal": "#6b7686"}

_SIZE = (5.2, 3.1)  # inches; about the width of a phone, so that the letters stay legible there
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Inter", "Segoe UI", "Helvetica Neue", "Arial", "DejaVu Sans"],
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text: small, sharp, in the reader's own font
    "svg.hashsalt": "busjax",  # the same run gives the same bytes
}


def style() -> AbstractContextManager[None]:
    """The context in which every figure of the report is drawn."""
    return matplotlib.rc_context(_STYLE)


def loss_chart(history: Sequence[dict[str, Any]], chosen_epoch: int | None) -> str:
    """SVG of the loss on the training and the validation images, by epoch."""
    lines = {
        "training": ("train", "loss", MUTED, "--"),
        "validation": ("validation", "loss", INK, "-"),
    }
    return _curves(history, chosen_epoch, lines)


def score_chart(history: Sequence[dict[str, Any]], chosen_epoch: int | None) -> str:
    """SVG of the scores on the validation images, by epoch."""
    lines = {
        "Dice average": ("validation", "dice_average", "#0b7f78", "-"),
        "accuracy": ("validation", "accuracy", "#d27a00", "--"),
        "F1 weighted": ("validation", "f1_weighted", "#5a4fa2", ":"),
    }
    return _curves(history, chosen_epoch, lines, limits=(0.0, 1.0))


def dice_chart(rows: Sequence[ImageRow]) -> str:
    """SVG of the Dice of every image, by class: points over a box (quartiles) and the mean."""
    with style():
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.subplots()
        for position, name in enumerate(CLASSES):
            values = np.array([row.dice for row in rows if row.class_name == name])
            if values.size:
                box_and_points(axes, position, values, CLASS_COLOURS[name])
        counts = [sum(row.class_name == name for row in rows) for name in CLASSES]
        labels = [f"{name}\nn = {count}" for name, count in zip(CLASSES, counts, strict=True)]
        axes.set_xticks(range(len(CLASSES)), labels, color=INK)
        axes.set_xlim(-0.6, len(CLASSES) - 0.4)
        axes.set_ylim(-0.04, 1.04)
        axes.set_ylabel("Dice")
        return svg(figure)


def reliability_chart(rows: Sequence[ImageRow]) -> str:
    """SVG of accuracy by the confidence of the predicted class, in bins."""
    with style():
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.subplots()
        prepare_reliability(axes)
        draw_reliability(axes, rows, "#0b7f78")
        return svg(figure)


def prepare_reliability(axes: Axes) -> None:
    """Limits and names of the axes, and the line on which a network is as sure as it is right."""
    axes.plot([0, 1], [0, 1], color=LINE, linewidth=1.2)
    axes.set_xlim(0.3, 1.03)
    axes.set_ylim(-0.04, 1.04)
    axes.set_xlabel("probability of the predicted class")
    axes.set_ylabel("share that is right")


def draw_reliability(
    axes: Axes, rows: Sequence[ImageRow], colour: str, bins: int = BINS
) -> tuple[np.ndarray, np.ndarray]:
    """Draws a point a bin, larger where it holds more images; returns where, (B,) each."""
    curve = reliability(*labels_and_probabilities(rows), bins)
    known = curve.images > 0
    at = curve.confidence[known], curve.accuracy[known]
    share = curve.images[known] / curve.images.sum()
    axes.scatter(*at, s=20 + 300 * share, color=colour, zorder=3)
    return at


def coverage_chart(rows: Sequence[ImageRow]) -> str:
    """SVG of Dice and accuracy of the images with the least doubt, by the share of them."""
    doubt = np.array([row.doubt for row in rows], np.float64)
    scores = {
        "Dice average": ([row.dice for row in rows], "#0b7f78", "-"),
        "accuracy": ([row.predicted == row.class_name for row in rows], "#d27a00", "--"),
    }
    with style():
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.subplots()
        for label, (values, colour, dashes) in scores.items():
            coverage, mean = selection.curve(doubt, np.array(values, np.float64))
            axes.plot(coverage, mean, dashes, color=colour, label=label)
        kept = sum(row.abstains == 0 for row in rows) / len(rows)
        axes.axvline(kept, color=INK, linewidth=0.9, alpha=0.6)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("share of the images that is kept, the least doubtful first")
        figure.legend(loc="outside upper left", ncols=2, fontsize=10)
        return svg(figure)


def _curves(
    history: Sequence[dict[str, Any]],
    chosen_epoch: int | None,
    lines: dict[str, tuple[str, str, str, str]],
    limits: tuple[float, float] | None = None,
) -> str:
    epochs = [entry["epoch"] for entry in history]
    with style():
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.subplots()
        for label, (part, name, colour, dashes) in lines.items():
            values = [number_or_nan(entry.get(part, {}).get(name)) for entry in history]
            marker = "o" if len(epochs) < 12 else ""
            axes.plot(
                epochs, values, dashes, color=colour, label=label, marker=marker, markersize=3.5
            )
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
        if limits:
            axes.set_ylim(*limits)
        if chosen_epoch is not None:
            _mark_checkpoint(axes, chosen_epoch)
        figure.legend(loc="outside upper left", ncols=3, fontsize=10)
        return svg(figure)


def _mark_checkpoint(axes: Axes, epoch: int) -> None:
    axes.axvline(epoch, color=INK, linewidth=0.9, alpha=0.6)
    low, high = axes.get_xlim()
    on_left = epoch > (low + high) / 2  # keep the words inside the axes
    axes.annotate(
        f"checkpoint, epoch {epoch}",
        (epoch, 0.03 if axes.get_ylim() == (0.0, 1.0) else 0.95),
        xycoords=("data", "axes fraction"),
        xytext=(-5 if on_left else 5, 0),
        textcoords="offset points",
        ha="right" if on_left else "left",
        fontsize=9.5,
        color=MUTED,
    )


def box_and_points(
    axes: Axes, position: int, values: np.ndarray, colour: str, across: bool = False
) -> None:
    """Draws values (N,) as points beside `position`, over a box (quartiles) and their mean.

    Args:
        axes: to draw in.
        position: of the box on the other axis.
        values: at least one.
        colour: of the points.
        across: values run along x instead of y.
    """
    jitter = position + np.random.default_rng(0).uniform(-0.17, 0.17, values.size)
    x, y = (values, jitter) if across else (jitter, values)
    axes.scatter(x, y, s=16, color=colour, alpha=0.5, linewidths=0, zorder=3)
    lines = {"color": INK, "linewidth": 1.1}
    axes.boxplot(
        values,
        positions=[position],
        widths=0.5,
        showfliers=False,
        showcaps=False,
        boxprops=lines,
        whiskerprops=lines,
        medianprops={"color": INK, "linewidth": 2.2},
        manage_ticks=False,
        orientation="horizontal" if across else "vertical",
        zorder=2,
    )
    mean = (values.mean(), position) if across else (position, values.mean())
    axes.plot(*mean, "D", color="white", markeredgecolor=INK, markersize=6, zorder=4)


def number_or_nan(value: float | None) -> float:
    """A score of a history, in which null stands for what is not finite."""
    return math.nan if value is None else value


def svg(figure: Figure) -> str:
    """A figure as SVG text, which is the same each time it is drawn; dark where the page is."""
    content = io.StringIO()
    figure.savefig(content, format="svg", transparent=True, metadata={"Date": None})
    text = content.getvalue()
    light, dark = [], []
    for name, (colour, in_the_dark) in _THEMED.items():
        text = text.replace(colour, f"var(--{name})")
        light.append(f"--{name}: {colour};")
        dark.append(f"--{name}: {in_the_dark};")
    rules = (
        f":root {{ {' '.join(light)} }} "
        f"@media (prefers-color-scheme: dark) {{ :root {{ {' '.join(dark)} }} }}"
    )
    return text.replace("<defs>", f"<style>{rules}</style><defs>", 1)
