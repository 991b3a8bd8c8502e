"""A trained run -> one row an image (CSV), a summary (JSON) and what the pictures need."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from etils import epath

from busjax import components, processes
from busjax.config import Config
from busjax.data import pipeline, records
from busjax.data.records import RecordSource
from busjax.data.resized import Resized
from busjax.errors import UserError
from busjax.evaluation import calibrate, doubts, external, grid, provenance
from busjax.evaluation.model_card import write_model_card
from busjax.models import prediction
from busjax.models.network import count_parameters
from busjax.models.prediction import Calibration, Ensemble
from busjax.networks import calibration
from busjax.networks.abstention import Abstention
from busjax.networks.ensemble import member_folders, members
from busjax.networks.places import open_network, trained_on
from busjax.networks.trained import Trained
from busjax.runs import results
from busjax.runs.rows import ImageRow, make_rows
from busjax.training import parallel
from busjax.training.program import Program


@dataclasses.dataclass(frozen=True)
class _Images:
    """Images of a source and what the networks say of them, before anything is made of it."""

    ids: tuple[str, ...]
    groups: list[str]
    resized: Resized
    outputs: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class _Finished:
    """What is delivered of images: a row each, in the grid that is asked for and in others."""

    rows: list[ImageRow]
    by_grid: dict[str, list[ImageRow]]
    pictures: results.Predictions

    def grids(self, config: Config) -> dict[str, Any]:
        """Entries of the summary: the grid of its scores; where there is another, some in that."""
        chosen = {"grid": grid.name(config.data.image_size, config.inference.grid)}
        if config.inference.grid == grid.NETWORK:
            return chosen
        scores = results.summary_from_rows(self.by_grid[grid.NETWORK])
        return chosen | {f"{grid.OTHER}{key}": scores[key] for key in grid.COMPARED}


def evaluate(
    config: Config,
    workdir: epath.Path,
    source: RecordSource,
    ids: tuple[str, ...],
    folder: str = results.FOLDER,
    facts: Mapping[str, Any] = MappingProxyType({}),
    validation: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Evaluates the best checkpoint of a run on the images `ids` of its test split.

    Writes images.csv, summary.json and predictions.npz into a folder of `workdir`. In another
    folder than its own it is an external test, and the summary says so.

    Args:
        config: of the run; `model.refine`, `model.prune` and `inference` may be others.
        workdir: of the run.
        source: of the images.
        ids: of the images to test on.
        folder: for the results, within `workdir`.
        facts: entries of the summary.
        validation: images that the checkpoint was chosen by: threshold and temperature are found
            on them; none: those that were found before count.

    Returns:
        The summary: scores, and where they come from.

    Raises:
        UserError: there is no checkpoint, or it belongs to another network; a member of the
            ensemble has seen the images.
    """
    start = time.monotonic()
    trained = open_network(workdir, config)
    read = _reader(config, trained, source, ids)
    chosen_by = read(validation) if validation else None
    is_kept = folder == results.FOLDER
    fitted = _calibration(config, trained, chosen_by, is_kept)
    known = _abstention(trained, chosen_by, is_kept)
    tested = read(ids)
    finished = _finish(config, source, tested, fitted, known)
    summary = {
        **results.summary_from_rows(finished.rows),
        **finished.grids(config),
        "loss": float(tested.outputs["loss"].mean()),
        **_facts(config, trained, source, fitted),
        "split": "external" if facts.get("data_dir") else "test",
        **facts,
        "seconds": round(time.monotonic() - start, 1),
    }
    if processes.is_first():
        checked = _finish(config, source, chosen_by, fitted).rows if chosen_by else []
        results.write(workdir, finished.rows, summary, finished.pictures, folder, checked)
    return summary


def _facts(
    config: Config, trained: Trained, source: RecordSource, fitted: Calibration
) -> dict[str, Any]:
    """Entries of a summary: where its scores come from."""
    return {
        **provenance.of(config, trained.trained_on, source),
        "threshold": float(fitted.threshold),
        "temperature": float(fitted.temperature),
        "checkpoint_step": trained.step,
        "checkpoint_epoch": trained.epoch,
        "parameters": count_parameters(trained.variables["params"]),
    }


def fit(
    config: Config, workdir: epath.Path, source: RecordSource, validation: tuple[str, ...]
) -> None:
    """Keeps what validation images tell of a run that has nothing to be tested on.

    Threshold, temperature and when it says 'I do not know', validation.csv and the model card; see
    `evaluate`.
    """
    trained = open_network(workdir, config)
    chosen_by = _reader(config, trained, source, ())(validation)
    fitted = _calibration(config, trained, chosen_by, kept=True)
    _abstention(trained, chosen_by, kept=True)
    if processes.is_first():
        finished = _finish(config, source, chosen_by, fitted)
        summary = {
            **results.summary_from_rows(finished.rows),
            **finished.grids(config),
            **_facts(config, trained, source, fitted),
            "split": "validation",
        }
        results.write_validation(workdir, finished.rows, summary)
        write_model_card(workdir)


def _reader(
    config: Config, trained: Trained, source: RecordSource, tested: tuple[str, ...]
) -> Callable[[tuple[str, ...]], _Images]:
    """A function from ids to what the networks say of them, before refinement."""
    plain = config.but(model={"refine": "none"})
    program = Program(plain, total_steps=1)
    ensemble = Ensemble((trained.variables, *_members(config, source, tested)))

    def read(ids: tuple[str, ...]) -> _Images:
        resized = Resized(source, ids, config.data.image_size, config.data.fit)
        batches = pipeline.eval_batches(resized, plain, parallel.process_shard())
        groups = [source.groups[source.ids.index(id)] for id in ids]
        return _Images(ids, groups, resized, program.evaluate(ensemble, batches))

    return read


def _members(config: Config, source: RecordSource, ids: tuple[str, ...]) -> list[Any]:
    """The other members of the ensemble, none of which may know the images to be tested on."""
    folders = member_folders(config.inference)
    if folders:
        every = records.digests(source)
        tested = {id: every[id] for id in ids}
    for folder in folders:
        if known := external.seen(tested, trained_on(folder)):
            raise UserError(
                f"config.inference.members: '{folder}' was trained or chosen on {known} of the "
                f"{len(ids)} images to be tested: average runs of the same split"
            )
    return [member.variables for member in members(config, folders)]


def _calibration(
    config: Config, trained: Trained, chosen_by: _Images | None, kept: bool
) -> Calibration:
    if chosen_by is None:
        return calibrate.asked(config.inference, trained.fitted, trained.place)
    outputs, resized = chosen_by.outputs, chosen_by.resized
    fitted = calibrate.fit(
        outputs["mask"],
        outputs["classes"],
        resized.masks.astype(bool),
        resized.labels,
        config.model.refine,
    )
    if kept and processes.is_first():
        calibration.save(trained.place, fitted, len(chosen_by.ids))
    return calibrate.used(config.inference, fitted)


def _abstention(trained: Trained, chosen_by: _Images | None, kept: bool) -> Abstention | None:
    if chosen_by is None:
        return trained.abstention
    place = trained.place if kept else None
    return doubts.fitted(chosen_by.outputs, chosen_by.groups, place)


def _finish(
    config: Config,
    source: RecordSource,
    images: _Images,
    fitted: Calibration,
    known: Abstention | None = None,
) -> _Finished:
    """From the probabilities to what is delivered, and what there is to say of it."""
    outputs, target = images.outputs, images.resized.masks.astype(bool)
    mode, largest = config.model.refine, config.inference.largest
    finished = prediction.postprocess(outputs["mask"][..., None], outputs["classes"], fitted, mode)
    exact = np.asarray(finished.mask)[..., 0]
    probability = np.round(exact * 255).astype(np.uint8)
    kept = np.array([components.largest(mask >= 128, largest) for mask in probability])
    probability = np.where(kept, probability, np.minimum(probability, 127))
    positions = [source.ids.index(id) for id in images.ids]
    areas = images.resized.areas
    sets = records.sets(source)

    def rows(measured: grid.Measured) -> list[ImageRow]:
        plain = make_rows(
            images.ids,
            images.groups,
            images.resized.labels,
            np.asarray(finished.classes),
            *measured,
            [sets[id] for id in images.ids] if sets else None,
        )
        return doubts.told(plain, outputs, known, config)

    compared = {grid.NETWORK: rows(grid.in_network(kept, target, areas))}
    if config.inference.grid == grid.IMAGE:
        compared[grid.IMAGE] = rows(grid.in_image(exact, areas, source, positions, largest))
    pictures = results.Predictions(np.array(images.ids), images.resized.images, target, probability)
    return _Finished(compared[config.inference.grid], compared, pictures)
