"""Everything a run folder knows about itself, read once and checked."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from etils import epath

from busjax.config import Config
from busjax.errors import UserError
from busjax.files import PathLike
from busjax.runs import configuration, history, results
from busjax.runs.results import Predictions
from busjax.runs.rows import ImageRow


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        config: every field by its dotted name, e.g. 'model.name'.
        history: one entry an epoch, in order; empty when there is no history.jsonl.
        rows: one an image of the test set, at least one; of `read_fitted` of the validation set.
        scores: `summarise` of the rows.
        facts: the rest of summary.json: source, description, checkpoint_step, ...
        pictures: of the same images as the rows.
    """

    config: dict[str, Any]
    history: list[dict[str, Any]]
    rows: list[ImageRow]
    scores: dict[str, float]
    facts: dict[str, Any]
    pictures: Predictions

    @property
    def name(self) -> str:
        return str(self.config["name"])

    @property
    def is_phantom(self) -> bool:
        return self.facts["source"] == "phantom"

    @property
    def chosen_epoch(self) -> int | None:
        """The epoch that ended at the evaluated checkpoint; None when the history lacks it."""
        step = self.facts.get("checkpoint_step")
        return next((entry["epoch"] for entry in self.history if entry["step"] == step), None)

    def changed_fields(self) -> dict[str, Any]:
        """The config fields whose values are not the defaults."""
        defaults = Config().flat()
        return {
            name: value
            for name, value in self.config.items()
            if name not in defaults or defaults[name] != value
        }

    @property
    def is_untested(self) -> bool:
        """Whether its rows are the images that its checkpoint was chosen by."""
        return self.facts.get("split") == "validation"

    @property
    def is_external(self) -> bool:
        """Whether it was tested on images of another set than it was trained on."""
        return self.facts.get("split") == "external"

    def rows_of(self, class_name: str) -> list[ImageRow]:
        """The rows whose true class this is."""
        return [row for row in self.rows if row.class_name == class_name]


def read_run(directory: PathLike, results_in: str = results.FOLDER) -> Run:
    """Reads a run folder.

    Raises:
        UserError: a file is missing or broken, or the files do not belong together.
    """
    folder = epath.Path(directory)
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; give the folder of a run")
    rows, summary = results.read_rows(folder, results_in), results.read_summary(folder, results_in)
    pictures = results.read_predictions(folder, results_in)
    if not rows or [row.id for row in rows] != pictures.id.tolist():
        raise UserError(
            f"{folder / results_in}: images.csv and predictions.npz are not of the same"
            " images (at least one); evaluate the run again"
        )
    if "source" not in summary:
        raise UserError(f"{folder}: summary.json names no source; evaluate the run again")
    scores = results.summary_from_rows(rows)
    results.check_scores(folder, scores, summary)
    return _run(folder, rows, scores, summary, pictures)


def read_fitted(directory: PathLike) -> Run:
    """A run that has no test part, by the images that its checkpoint was chosen by; no pictures.

    Raises:
        UserError: as `read_run`.
    """
    folder = epath.Path(directory)
    rows, summary = results.read_validation(folder), results.read_validation_summary(folder)
    pictures = Predictions(*(np.empty((0, 1, 1), kind) for kind in ("U1", "u1", bool, "u1")))
    return _run(folder, rows, results.summary_from_rows(rows), summary, pictures)


def _run(
    folder: epath.Path,
    rows: list[ImageRow],
    scores: dict[str, float],
    summary: dict[str, Any],
    pictures: Predictions,
) -> Run:
    return Run(
        config=configuration.as_saved(folder),
        history=history.read(folder),
        rows=rows,
        scores=scores,
        facts={name: value for name, value in summary.items() if name not in scores},
        pictures=pictures,
    )
