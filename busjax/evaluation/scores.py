"""The scores of a study: of each fold, over the folds, over all images with intervals."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from busjax.evaluation.study import SHARED, Study
from busjax.metrics import bootstrap, details
from busjax.metrics.calibration import fit_temperature, scale
from busjax.runs import results
from busjax.runs.rows import ImageRow

# Facts that are told of each fold.
_TOLD = ("checkpoint_epoch", "checkpoint_step", "commit", "device", "date")
_COLUMNS = {
    "Dice": "dice_average",
    "benign": "dice_benign",
    "malignant": "dice_malignant",
    "normal": "dice_normal",
    "accuracy": "accuracy",
    "F1": "f1_weighted",
    "AUC": "auc_macro",
}


def measured(rows: Sequence[ImageRow]) -> bootstrap.Measured:
    """What the resampling needs of the rows."""
    return bootstrap.Measured(
        *results.labels_and_probabilities(rows),
        np.array([row.dice for row in rows]),
        np.array([row.iou for row in rows]),
    )


def resampled(rows: Sequence[ImageRow], groups: Sequence[str]) -> dict[str, np.ndarray]:
    """Scores of the rows, resampled by these groups; of equal groups the same resamples.

    The order of the rows does not matter.
    """
    pairs = sorted(zip(rows, groups, strict=True), key=lambda pair: pair[0].id)
    return _resampled(tuple(pairs))


@functools.lru_cache(maxsize=32)  # in a table each study is compared with others
def _resampled(pairs: tuple[tuple[ImageRow, str], ...]) -> dict[str, np.ndarray]:
    times = bootstrap.draw([group for _, group in pairs])
    return bootstrap.scores(times, measured([row for row, _ in pairs]))


def scaled(study: Study) -> dict[str, float]:
    """Calibration of the classes after temperature scaling, '_scaled'; none without validation.

    The temperature of each fold is that of its validation images (Guo 2017, arXiv:1706.04599).
    """
    if not all(fold.validation for fold in study.folds):
        return {}
    parts = []
    for fold in study.folds:
        temperature = fit_temperature(*results.labels_and_probabilities(fold.validation))
        labels, probabilities = results.labels_and_probabilities(fold.rows)
        parts.append((labels, scale(probabilities, temperature)))
    labels, probabilities = (np.concatenate(values) for values in zip(*parts, strict=True))
    measures = details.describe_classes(labels, probabilities)
    return {f"{name}_scaled": measures[name] for name in ("ece", "brier", "nll")}


def summarise(study: Study) -> dict[str, Any]:
    """Scores of each fold, their mean and spread, and of all images pooled, with intervals.

    'mean' and 'sd', the standard deviation (n - 1), are over the folds in which a score is defined,
    'n_defined' of them; a fold without an image of a class has no score of it. The intervals hold
    95 % of the scores of 2,000 resamples of the pooled images, drawn by group.
    """
    rows = study.rows
    pooled = results.summary_from_rows(rows)
    by_fold = [fold.scores for fold in study.folds]
    names = [name for name in pooled if not name.startswith("n_")]
    defined = {
        name: [scores[name] for scores in by_fold if not math.isnan(scores[name])] for name in names
    }
    drawn = resampled(rows, [row.group for row in rows])
    first = study.folds[0]
    summary = {
        "name": study.name,
        **{name: first.facts[name] for name in SHARED if name in first.facts},
        "protocol": study.protocol,
        "grid": study.grid,
        "seed": first.config.get("cv.seed"),
        "n_images": len(rows),
        "folds": [
            {"fold": fold.index, **{name: fold.facts.get(name) for name in _TOLD}, **scores}
            for fold, scores in zip(study.folds, by_fold, strict=True)
        ],
        "mean": {name: float(np.mean(values or math.nan)) for name, values in defined.items()},
        "sd": {name: _spread(values) for name, values in defined.items()},
        "n_defined": {name: len(values) for name, values in defined.items()},
        "pooled": pooled | scaled(study),
        "interval": {name: bootstrap.interval(values) for name, values in drawn.items()},
        "resamples": bootstrap.RESAMPLES,
    }
    return _without_nan(summary)


def lines(summary: dict[str, Any]) -> str:
    """The main scores of a run for a terminal, by its summary.json."""
    scores = "  ".join(
        f"{'| ' * (title == 'accuracy')}{title} {summary[key]:.3f}"
        for title, key in _COLUMNS.items()
    )
    what = "test split" if summary["split"] == "test" else "external test"
    return (
        f"{what} of {summary['source']}, {summary['n_images']} images, "
        f"checkpoint of epoch {summary['checkpoint_epoch']}:\n  {scores}"
    )


def table(study: Study, summary: dict[str, Any]) -> str:
    """The main scores of `summarise` for a terminal."""
    lines = [f"{study.name}, {study.protocol}, {summary['description']}"]
    lines.append(" " * 10 + "".join(f"{title:>11}" for title in _COLUMNS))

    def line(title: str, values: dict[str, Any]) -> str:
        cells = (values.get(key) for key in _COLUMNS.values())
        return f"{title:10}" + "".join(f"{'-' if v is None else f'{v:.3f}':>11}" for v in cells)

    lines += [line(f"fold {fold['fold']}", fold) for fold in summary["folds"]]
    lines += [line("mean", summary["mean"]), line("sd", summary["sd"])]
    lines.append(line("pooled", summary["pooled"]))
    for end, title in enumerate(("95 % from", "to")):
        lines.append(line(title, {k: ends[end] for k, ends in summary["interval"].items()}))
    if fewer := few_folds(summary):
        lines.append(fewer)
    return "\n".join(lines)


def few_folds(summary: dict[str, Any]) -> str:
    """Which means are over some folds only, in words; '' where all are over all.

    Args:
        summary: of `summarise`.
    """
    n_folds = len(summary["folds"])
    few = {
        title: n
        for title, key in _COLUMNS.items()
        if 0 < (n := summary["n_defined"].get(key, n_folds)) < n_folds
    }
    said = ", ".join(f"{title} over {n} of {n_folds}" for title, n in few.items())
    return f"mean and sd over the folds that have a score: {said}" if few else ""


def _spread(values: list[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def _without_nan(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _without_nan(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_without_nan(value) for value in tree]
    return None if isinstance(tree, float) and math.isnan(tree) else tree
