"""A design as it was tested: one run, or the folds of a cross-validation, their images pooled."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from etils import epath

from busjax.errors import UserError
from busjax.evaluation import results
from busjax.evaluation.report_run import read_config
from busjax.evaluation.rows import ImageRow
from busjax.files import PathLike
from busjax.metrics import bootstrap
from busjax.training.configuration import FOLD
from configs.fields import FREE

# Facts of an evaluation that all folds must share.
_SHARED = ("source", "description", "refine", "inference")
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


@dataclasses.dataclass(frozen=True)
class Fold:
    """One run and its test images.

    Attributes:
        index: of the fold; None: a run that is no fold.
        config: every field by its dotted name.
        rows: one an image.
        facts: the entries of summary.json, scores among them.
    """

    index: int | None
    config: dict[str, Any]
    rows: list[ImageRow]
    facts: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Study:
    """One run, or the folds of a cross-validation, at least one, by their index.

    Attributes:
        folder: where they were read.
        results_in: the folder of the results, within that of each run.
        folds: of one configuration, on one data set, no image twice.
    """

    folder: str
    folds: tuple[Fold, ...]
    results_in: str = results.FOLDER

    @property
    def name(self) -> str:
        return str(self.folds[0].config["name"])

    @property
    def protocol(self) -> str:
        """How it was tested, in words."""
        first = self.folds[0]
        if first.index is None:
            return "one split"
        return f"{len(self.folds)} of {first.config['cv.folds']} folds"

    @property
    def rows(self) -> list[ImageRow]:
        """The test images of all folds."""
        return [row for fold in self.folds for row in fold.rows]


def fold_name(index: int | str) -> str:
    """The name of the folder of a fold."""
    return f"{FOLD}{index}"


def indices(folder: epath.Path) -> list[int]:
    """Of the folds that are there, whole or not, in ascending order."""
    found = (re.fullmatch(fold_name("([0-9]+)"), entry.name) for entry in folder.iterdir())
    return sorted(int(match[1]) for match in found if match)


def is_crossval(folder: epath.Path) -> bool:
    """Whether a folder holds folds, and is no run itself."""
    return folder.is_dir() and not (folder / "config.json").exists() and bool(indices(folder))


def read(directory: PathLike, only: Sequence[int] = (), results_in: str = results.FOLDER) -> Study:
    """Reads a run folder, or that of a cross-validation.

    Args:
        directory: holds a run, or folders fold_0, fold_1, ... with one each.
        only: folds to read; none: all, of which none must be missing.
        results_in: the folder of the results, within that of each run.

    Raises:
        UserError: nothing there; a fold is missing or broken; folds that do not belong together.
    """
    folder = epath.Path(directory)
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: give that of a run or of a cross-validation")
    found = indices(folder)
    if not found and not only:
        return Study(str(folder), (_read_fold(folder, None, results_in),), results_in)
    wanted = list(only) or found
    if absent := [index for index in wanted if index not in found]:
        raise UserError(f"{folder} holds no {fold_name(absent[0])}: run it with "
                        f"--mode=crossval --config.cv.only={absent[0]}")  # fmt: skip
    folds = tuple(_read_fold(folder / fold_name(index), index, results_in) for index in wanted)
    _check(folder, folds, complete=not only)
    return Study(str(folder), folds, results_in)


def measured(rows: Sequence[ImageRow]) -> bootstrap.Measured:
    """What the resampling needs of the rows."""
    return bootstrap.Measured(
        *results.labels_and_probabilities(rows),
        np.array([row.dice for row in rows]),
        np.array([row.iou for row in rows]),
    )


def summarise(study: Study) -> dict[str, Any]:
    """Scores of each fold, their mean and spread, and of all images pooled, with intervals.

    'sd' is the standard deviation over the folds (n - 1). The intervals hold 95 % of the scores of
    2,000 resamples of the pooled images, drawn by group.
    """
    rows = study.rows
    pooled = results.summary_from_rows(rows)
    by_fold = [results.summary_from_rows(fold.rows) for fold in study.folds]
    names = [name for name in pooled if not name.startswith("n_")]
    resampled = bootstrap.scores(bootstrap.draw([row.group for row in rows]), measured(rows))
    first = study.folds[0]
    summary = {
        "name": study.name,
        **{name: first.facts[name] for name in _SHARED if name in first.facts},
        "protocol": study.protocol,
        "seed": first.config.get("cv.seed"),
        "n_images": len(rows),
        "folds": [
            {"fold": fold.index, **{name: fold.facts.get(name) for name in _TOLD}, **scores}
            for fold, scores in zip(study.folds, by_fold, strict=True)
        ],
        "mean": {name: float(np.mean([scores[name] for scores in by_fold])) for name in names},
        "sd": {name: _spread([scores[name] for scores in by_fold]) for name in names},
        "pooled": pooled,
        "interval": {name: bootstrap.interval(values) for name, values in resampled.items()},
        "resamples": bootstrap.RESAMPLES,
    }
    return _without_nan(summary)


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
    return "\n".join(lines)


def _read_fold(folder: epath.Path, index: int | None, results_in: str) -> Fold:
    rows = results.read_rows(folder, results_in)
    facts = results.read_summary(folder, results_in)
    if not rows:
        raise UserError(f"{folder}: images.csv has no image; evaluate the run again")
    results.check_scores(folder, results.summary_from_rows(rows), facts)
    return Fold(index, read_config(folder), rows, facts)


def _check(folder: epath.Path, folds: Sequence[Fold], complete: bool) -> None:
    """Raises a UserError unless the folds are of one cross-validation."""
    first = folds[0]
    for fold in folds[1:]:
        for name in sorted((first.config.keys() | fold.config.keys()) - FREE - {"cv.only"}):
            _check_equal(folder, fold, f"config.{name}", first.config, fold.config, name)
        for name in _SHARED:
            _check_equal(folder, fold, name, first.facts, fold.facts, name)
    k = first.config.get("cv.folds", 0)
    if complete and (missing := sorted(set(range(k)) - {fold.index for fold in folds})):
        named = ",".join(map(str, missing))
        raise UserError(f"{folder} lacks {fold_name(missing[0])} of {k} folds: run what is missing "
                        f"with --mode=crossval --config.cv.only={named}")  # fmt: skip
    seen: dict[str, int | None] = {}
    for fold in folds:
        for row in fold.rows:
            if row.id in seen:
                raise UserError(
                    f"{folder}: '{row.id}' is tested in both {fold_name(str(seen[row.id]))} and "
                    f"{fold_name(str(fold.index))}: they are folds of another seed, or of other "
                    "data"
                )
            seen[row.id] = fold.index


def _check_equal(
    folder: epath.Path, fold: Fold, what: str, one: dict[str, Any], other: dict[str, Any], name: str
) -> None:
    if one.get(name) != other.get(name):
        raise UserError(
            f"{folder}: {fold_name(str(fold.index))} does not belong to the others: {what} is "
            f"{other.get(name)!r} there and {one.get(name)!r} in the first; keep one "
            "cross-validation in a folder"
        )


def _spread(values: list[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def _without_nan(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _without_nan(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_without_nan(value) for value in tree]
    return None if isinstance(tree, float) and math.isnan(tree) else tree
