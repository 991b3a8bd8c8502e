"""A trained run -> one row an image (CSV), a summary (JSON) and what the pictures need."""

from __future__ import annotations

import datetime
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax
import numpy as np
from etils import epath
from ml_collections import ConfigDict

from busjax.data import pipeline
from busjax.data.records import RecordSource
from busjax.evaluation import results
from busjax.metrics.segmentation import PixelCounts
from busjax.models.network import activation_dtype, count_parameters
from busjax.training import parallel, processes
from busjax.training.checkpoint import restore_best
from busjax.training.program import Program


def evaluate(
    config: ConfigDict,
    workdir: epath.Path,
    source: RecordSource,
    ids: tuple[str, ...],
    folder: str = results.FOLDER,
    facts: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Evaluates the best checkpoint of a run on the images `ids` of its test split.

    Writes images.csv, summary.json and predictions.npz into a folder of `workdir`. In another
    folder than its own it is an external test, and the summary says so.

    Returns:
        The summary: scores, and where they come from.

    Raises:
        UserError: there is no checkpoint, or it belongs to another network.
    """
    start = time.monotonic()
    program = Program(config, total_steps=1)
    step, state, data = restore_best(workdir, program.abstract_state(), read_only=False)
    resized = pipeline.Resized(source, ids, config.data.image_size)
    batches = pipeline.eval_batches(resized, config, parallel.share())
    found = program.evaluate(state.evaluated, batches)
    rows = _rows(source, ids, found)
    summary = {
        **results.summary_from_rows(rows),
        "loss": float(found["loss"].mean()),
        **_provenance(config, source),
        "split": "test" if folder == results.FOLDER else "external",
        **facts,
        "checkpoint_step": step,
        "checkpoint_epoch": data["epoch"],
        "parameters": count_parameters(state.evaluated["params"]),
        "seconds": round(time.monotonic() - start, 1),
    }
    if processes.is_first():
        predictions = results.Predictions(
            np.array(ids), resized.images, resized.masks.astype(bool), found["mask"]
        )
        results.write(workdir, rows, summary, predictions, folder)
    return summary


def _rows(
    source: RecordSource, ids: tuple[str, ...], found: dict[str, np.ndarray]
) -> list[results.ImageRow]:
    positions = [source.ids.index(id) for id in ids]
    return results.make_rows(
        ids,
        [source.groups[position] for position in positions],
        source.labels[positions],
        found["classes"],
        PixelCounts(*(found[name] for name in PixelCounts._fields)),
    )


def _provenance(config: ConfigDict, source: RecordSource) -> dict[str, Any]:
    return {
        "source": source.name,
        "description": source.description,
        "config": config.name,
        "refine": config.model.refine,
        "dtype": str(activation_dtype(config.model.dtype)),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "jax": jax.__version__,
        "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
    }


def _commit() -> str:
    """The commit of the code that runs, with '+' where files differ; '' outside a checkout."""
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty=+"]
    try:
        done = subprocess.run(git, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
