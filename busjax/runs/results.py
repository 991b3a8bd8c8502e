"""The files of a finished evaluation, under <run>/evaluation/, written whole or not at all.

images.csv       one line an image: class, probabilities, overlap, pixel counts
validation.csv   the same of the images on which the checkpoint was chosen
summary.json     the scores of `metrics` and where they come from
predictions.npz  images, masks and predicted masks, for the pictures
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from etils import epath

from busjax import files
from busjax.classes import CLASSES
from busjax.errors import UserError
from busjax.files import PathLike
from busjax.metrics import details, selection
from busjax.metrics.boundary import Distances
from busjax.metrics.classification import confusion_matrix
from busjax.metrics.detection import Lesions
from busjax.metrics.segmentation import PixelCounts
from busjax.metrics.summary import summarise
from busjax.runs.rows import ImageRow, from_csv, to_csv

FOLDER = "evaluation"
VALIDATION = "validation.csv"
_SUMMARY, _OF_VALIDATION = "summary.json", "validation.json"


@dataclasses.dataclass(frozen=True)
class Predictions:
    """What the network was shown and what it drew, in the order of the rows.

    Attributes:
        id: (N,) str.
        image: (N, H, W) uint8, grey levels.
        mask: (N, H, W) bool, the annotation.
        probability: (N, H, W) uint8, tumour probability after refinement; 0..255 for 0..1, and 128
            or more inside the predicted mask.
    """

    id: np.ndarray
    image: np.ndarray
    mask: np.ndarray
    probability: np.ndarray


def summary_from_rows(rows: Sequence[ImageRow]) -> dict[str, float]:
    """The scores again, from the lines of images.csv alone.

    Those of `metrics.summary.summarise` and `metrics.details`; of a table of an earlier version
    those that it allows.
    """
    labels, probabilities = labels_and_probabilities(rows)
    counts = PixelCounts(*np.array([(r.tp, r.fp, r.fn, r.tn) for r in rows], np.int64).T)
    scores = {
        **summarise(labels, probabilities, counts),
        **details.describe_classes(labels, probabilities),
        **details.agreement(probabilities, counts.tp + counts.fp),
    }
    if all(row.doubt is not None for row in rows):
        scores |= selection.describe(
            np.array([row.doubt for row in rows], np.float64),
            np.array([row.abstains for row in rows], bool),
            {
                "dice": np.array([row.dice for row in rows]),
                "accuracy": np.array([float(row.predicted == row.class_name) for row in rows]),
            },
        )
    if any(row.lesions is None for row in rows):
        return scores
    distances = np.array([(row.hausdorff95, row.distance) for row in rows], np.float64)
    lesions = np.array([(row.lesions, row.found, row.false) for row in rows], np.int64)
    return {**scores, **details.describe_masks(Distances(*distances.T), Lesions(*lesions.T))}


def scores_by_set(rows: Sequence[ImageRow]) -> dict[str, dict[str, float]]:
    """The scores of the images of each set, by its name; none where there is but one set."""
    names = dict.fromkeys(row.set for row in rows if row.set)
    return {name: summary_from_rows([row for row in rows if row.set == name]) for name in names}


def labels_and_probabilities(rows: Sequence[ImageRow]) -> tuple[np.ndarray, np.ndarray]:
    """(N,) int, indices into `CLASSES`, and (N, 3) predicted probabilities."""
    labels = np.array([CLASSES.index(row.class_name) for row in rows])
    return labels, np.array([row.probabilities for row in rows])


def confusion(rows: Sequence[ImageRow]) -> np.ndarray:
    """Images by class (rows) and predicted class (columns): (3, 3) int64."""
    truth, predicted = (
        np.array([CLASSES.index(getattr(row, name)) for row in rows])
        for name in ("class_name", "predicted")
    )
    return confusion_matrix(truth, predicted)


def check_scores(directory: PathLike, scores: dict[str, float], summary: dict[str, Any]) -> None:
    """Raises a UserError where summary.json contradicts the scores that images.csv gives."""
    for name in scores.keys() & summary.keys():
        saved, again = summary[name], scores[name]
        both_undefined = math.isnan(saved) and math.isnan(again)
        if not (both_undefined or math.isclose(saved, again, abs_tol=1e-6)):
            raise UserError(
                f"{directory}: summary.json has {name} {saved:.6g}, images.csv gives {again:.6g};"
                " evaluate the run again"
            )


def write(
    directory: PathLike,
    rows: Sequence[ImageRow],
    summary: dict[str, Any],
    images: Predictions,
    folder: str = FOLDER,
    validation: Sequence[ImageRow] = (),
) -> None:
    """Writes the files under directory/evaluation/, in place of older ones.

    Args:
        directory: folder of the run.
        rows: one an image.
        summary: scores and provenance (source, description, checkpoint_step, ...), flat; nan is
            written as null.
        images: for the pictures, same ids in the same order as the rows.
        folder: within the directory; another one for images that are not of the run.
        validation: one row an image that the checkpoint was chosen by; none: no validation.csv.
    """
    target = epath.Path(directory) / folder
    target.mkdir(parents=True, exist_ok=True)
    # Away first and back last: an interrupted evaluation has no summary, rather than an old one.
    (target / _SUMMARY).unlink(missing_ok=True)
    files.replace(target / "predictions.npz", _npz(images))
    files.replace(target / "images.csv", to_csv(rows).encode())
    (target / VALIDATION).unlink(missing_ok=True)
    if validation:
        files.replace(target / VALIDATION, to_csv(validation).encode())
    _write_summary(target / _SUMMARY, summary)


def write_validation(
    directory: PathLike, rows: Sequence[ImageRow], summary: dict[str, Any]
) -> None:
    """Writes validation.csv and validation.json, of a run that has nothing to be tested on."""
    target = epath.Path(directory) / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    files.replace(target / VALIDATION, to_csv(rows).encode())
    _write_summary(target / _OF_VALIDATION, summary)


def _write_summary(path: epath.Path, summary: dict[str, Any]) -> None:
    finite = {key: None if _is_nan(value) else value for key, value in summary.items()}
    files.replace(path, (json.dumps(finite, indent=2) + "\n").encode())


def report_path(directory: PathLike, folder: str = FOLDER) -> epath.Path:
    """Where the page of a run lies; that of an external test lies beside its results."""
    return epath.Path(directory) / ("" if folder == FOLDER else folder) / "report.html"


def exist(directory: PathLike, folder: str = FOLDER) -> bool:
    """Whether an evaluation was finished there."""
    return (epath.Path(directory) / folder / _SUMMARY).exists()


def read_rows(directory: PathLike, folder: str = FOLDER) -> list[ImageRow]:
    """The lines of images.csv; raises UserError when it is missing or not such a table."""
    return _read_table(_existing(directory, folder, "images.csv"))


def read_validation(directory: PathLike, folder: str = FOLDER) -> list[ImageRow]:
    """The lines of validation.csv, none where there is no such file; see `read_rows`."""
    path = epath.Path(directory) / folder / VALIDATION
    return _read_table(path) if path.exists() else []


def _read_table(path: epath.Path) -> list[ImageRow]:
    try:
        return from_csv(path.read_bytes().decode())
    except ValueError as error:
        raise UserError(f"{path}: {error}; evaluate the run again") from error


def read_summary(directory: PathLike, folder: str = FOLDER) -> dict[str, Any]:
    """The entries of summary.json, null as nan; raises UserError when missing or broken."""
    return _read_summary(_existing(directory, folder, _SUMMARY))


def read_validation_summary(directory: PathLike) -> dict[str, Any]:
    """The entries of validation.json, as `read_summary`."""
    return _read_summary(_existing(directory, FOLDER, _OF_VALIDATION))


def _read_summary(path: epath.Path) -> dict[str, Any]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error}); evaluate the run again") from error
    if "description" in entries:  # of phantoms, earlier versions added how to use BUSI
        entries["description"] = entries["description"].partition("; no BUSI data was found")[0]
    return {key: math.nan if value is None else value for key, value in entries.items()}


def read_predictions(directory: PathLike, folder: str = FOLDER) -> Predictions:
    """The arrays of predictions.npz; raises UserError when it is missing or broken."""
    path = _existing(directory, folder, "predictions.npz")
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            return Predictions(
                arrays["id"], arrays["image"], arrays["mask"].astype(bool), arrays["probability"]
            )
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: {error}; evaluate the run again") from error


def _existing(directory: PathLike, folder: str, name: str) -> epath.Path:
    path = epath.Path(directory) / folder / name
    if not path.exists():
        raise UserError(f"{path} is missing; evaluate the run first")
    return path


def _npz(images: Predictions) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, **dataclasses.asdict(images))
    return content.getvalue()


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
