"""Run folders with all that an evaluation leaves, and no network behind them."""

import json

import numpy as np
import pytest

from busjax.metrics.segmentation import PixelCounts
from busjax.runs import results
from busjax.runs.rows import make_rows


def _write_fold(folder, seed=0, ids=None, name="unet", facts=(), **config):
    """A run folder with all that a study reads, and nothing more."""
    rng = np.random.default_rng(seed)
    ids = ids or [f"{seed}-{i}" for i in range(9)]
    labels = np.arange(len(ids)) % 3
    probabilities = rng.dirichlet([1, 1, 1], len(ids))
    counts = PixelCounts(*rng.integers(1, 50, (4, len(ids))))
    rows = make_rows(ids, ids, labels, probabilities, counts)
    pictures = results.Predictions(np.array(ids), *np.zeros((3, len(ids), 2, 2), np.uint8))
    about = {"source": "busi", "description": "BUSI: 450", "refine": "none", **dict(facts)}
    results.write(folder, rows, {**results.summary_from_rows(rows), **about}, pictures)
    values = {"name": name, "cv": {"folds": 3, "seed": 0, "only": ""}, **config}
    (folder / "config.json").write_text(json.dumps(values))
    return rows


def _write_folds(folder, **last):
    """Three folds, the last of them as asked for; the second has fewer images."""
    _write_fold(folder / "fold_0", 0)
    _write_fold(folder / "fold_1", 1, ids=[f"1-{i}" for i in range(6)])
    _write_fold(folder / "fold_2", **{"seed": 2, **last})


@pytest.fixture(scope="session")
def write_fold():
    return _write_fold


@pytest.fixture(scope="session")
def write_folds():
    return _write_folds
