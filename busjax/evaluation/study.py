"""A design as it was tested: one run, or the folds of a cross-validation, their images pooled."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Sequence
from typing import Any

from etils import epath

from busjax.config import FREE, Config
from busjax.errors import UserError
from busjax.evaluation import grid
from busjax.files import PathLike
from busjax.runs import configuration, history, results
from busjax.runs.configuration import FOLD
from busjax.runs.rows import ImageRow

# Facts of an evaluation that all folds must share.
SHARED = ("source", "description", "refine", "inference")


@dataclasses.dataclass(frozen=True)
class Fold:
    """One run and its test images.

    Attributes:
        index: of the fold; None: a run that is no fold.
        config: every field by its dotted name.
        rows: one a test image.
        validation: one an image that the checkpoint was chosen by; none: they were not kept.
        facts: the entries of summary.json, scores among them.
    """

    index: int | None
    config: dict[str, Any]
    rows: list[ImageRow]
    validation: list[ImageRow]
    facts: dict[str, Any]

    @functools.cached_property
    def scores(self) -> dict[str, float]:
        """Of the test images, from the rows."""
        return results.summary_from_rows(self.rows)


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
    def grid(self) -> str:
        """The pixels in which masks were compared, in words."""
        first = self.folds[0]
        return grid.of_results(first.facts, first.config)

    @property
    def rows(self) -> list[ImageRow]:
        """The test images of all folds."""
        return [row for fold in self.folds for row in fold.rows]


def fold_name(index: int | str) -> str:
    """The name of the folder of a fold."""
    return f"{FOLD}{index}"


def indices(folder: epath.Path) -> list[int]:
    """Of the folds that are there, whole or not, in ascending order."""
    matches = (re.fullmatch(fold_name("([0-9]+)"), entry.name) for entry in folder.iterdir())
    return sorted(int(match[1]) for match in matches if match)


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
    present = indices(folder)
    if not present and not only:
        return Study(str(folder), (_read_fold(folder, None, results_in),), results_in)
    wanted = list(only) or present
    if absent := [index for index in wanted if index not in present]:
        raise UserError(f"{folder} holds no {fold_name(absent[0])}: run it with "
                        f"--mode=crossval --config.cv.only={absent[0]}")  # fmt: skip
    folds = tuple(_read_fold(folder / fold_name(index), index, results_in) for index in wanted)
    _check(folder, folds, complete=not only)
    return Study(str(folder), folds, results_in)


def histories(one: Study) -> list[list[dict[str, Any]]]:
    """Of each fold, an entry an epoch, in order; none where history.jsonl was not kept.

    Raises:
        UserError: one is broken.
    """
    folder = epath.Path(one.folder)
    runs = [folder if f.index is None else folder / fold_name(f.index) for f in one.folds]
    return [history.read(run) for run in runs]


def _read_fold(folder: epath.Path, index: int | None, results_in: str) -> Fold:
    rows = results.read_rows(folder, results_in)
    facts = results.read_summary(folder, results_in)
    if not rows:
        raise UserError(f"{folder}: images.csv has no image; evaluate the run again")
    validation = results.read_validation(folder, results_in)
    fold = Fold(index, configuration.as_saved(folder), rows, validation, facts)
    results.check_scores(folder, fold.scores, facts)
    return fold


def _check(folder: epath.Path, folds: Sequence[Fold], complete: bool) -> None:
    """Raises a UserError unless the folds are of one cross-validation."""
    first = folds[0]
    # A fold of an earlier version lacks fields, which had their defaults then.
    defaults = Config().flat()
    settings = [{**defaults, **fold.config} for fold in folds]
    for fold, own in zip(folds[1:], settings[1:], strict=True):
        for name in sorted((settings[0].keys() | own.keys()) - FREE - {"cv.only"}):
            _check_equal(folder, fold, f"config.{name}", settings[0], own, name)
        for name in SHARED:
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
