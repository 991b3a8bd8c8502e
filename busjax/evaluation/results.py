"""The files of a finished evaluation, under <run>/evaluation/, written whole or not at all.

images.csv       one line an image: class, probabilities, overlap, pixel counts
summary.json     the scores of `metrics.summary.summarise` and where they come from
predictions.npz  images, masks and predicted masks, for the pictures
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import typing
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from etils import epath

from busjax import files
from busjax.classes import CLASSES
from busjax.errors import UserError
from busjax.files import PathLike
from busjax.metrics import segmentation
from busjax.metrics.segmentation import PixelCounts
from busjax.metrics.summary import summarise

FOLDER = "evaluation"


@dataclasses.dataclass(frozen=True)
class ImageRow:
    """One image of the test set; the fields are the columns of images.csv, in its order.

    Attributes:
        id: of the record.
        group: of the record.
        class_name: the true class in words (column 'class').
        predicted: the most probable class in words.
        p_benign, p_malignant, p_normal: predicted probabilities of the classes, in [0, 1].
        dice, iou: overlap of the predicted mask with the annotation, in [0, 1].
        tp, fp, fn, tn: pixels.
    """

    id: str
    group: str
    class_name: str
    predicted: str
    p_benign: float
    p_malignant: float
    p_normal: float
    dice: float
    iou: float
    tp: int
    fp: int
    fn: int
    tn: int

    def __post_init__(self) -> None:
        for name in (self.class_name, self.predicted):
            if name not in CLASSES:
                raise ValueError(f"class {name!r} is none of {', '.join(CLASSES)}")

    @property
    def probabilities(self) -> tuple[float, float, float]:
        """Of the classes, in the order of `CLASSES`."""
        return self.p_benign, self.p_malignant, self.p_normal


COLUMNS = {
    "class" if field.name == "class_name" else field.name: cast
    for field, cast in zip(
        dataclasses.fields(ImageRow), typing.get_type_hints(ImageRow).values(), strict=True
    )
}


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


def make_rows(
    ids: Sequence[str],
    groups: Sequence[str],
    labels: np.ndarray,
    probabilities: np.ndarray,
    counts: PixelCounts,
) -> list[ImageRow]:
    """One row an image.

    Args:
        ids, groups: N names.
        labels: (N,) int, indices into `CLASSES`.
        probabilities: (N, 3) in [0, 1], of the classes.
        counts: pixels of the N images.
    """
    columns = (
        ids,
        groups,
        [CLASSES[label] for label in labels],
        [CLASSES[label] for label in probabilities.argmax(axis=1)],
        *probabilities.T.tolist(),
        segmentation.dice(counts).tolist(),
        segmentation.iou(counts).tolist(),
        *(np.asarray(count).tolist() for count in counts),
    )
    return [ImageRow(*cells) for cells in zip(*columns, strict=True)]


def summary_from_rows(rows: Sequence[ImageRow]) -> dict[str, float]:
    """The scores again, from the lines of images.csv alone; see `metrics.summary.summarise`."""
    labels = np.array([CLASSES.index(row.class_name) for row in rows])
    probabilities = np.array([row.probabilities for row in rows])
    counts = PixelCounts(*np.array([(r.tp, r.fp, r.fn, r.tn) for r in rows], np.int64).T)
    return summarise(labels, probabilities, counts)


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
) -> None:
    """Writes the three files under directory/evaluation/, in place of older ones.

    Args:
        directory: folder of the run.
        rows: one an image.
        summary: scores and provenance (source, description, checkpoint_step, ...), flat; nan is
            written as null.
        images: for the pictures, same ids in the same order as the rows.
        folder: within the directory; another one for images that are not of the run.
    """
    target = epath.Path(directory) / folder
    target.mkdir(parents=True, exist_ok=True)
    # Away first and back last: an interrupted evaluation has no summary, rather than an old one.
    (target / "summary.json").unlink(missing_ok=True)
    files.replace(target / "predictions.npz", _npz(images))
    files.replace(target / "images.csv", _csv(rows).encode())
    finite = {key: None if _is_nan(value) else value for key, value in summary.items()}
    files.replace(target / "summary.json", (json.dumps(finite, indent=2) + "\n").encode())


def exist(directory: PathLike, folder: str = FOLDER) -> bool:
    """Whether an evaluation was finished there."""
    return (epath.Path(directory) / folder / "summary.json").exists()


def read_rows(directory: PathLike, folder: str = FOLDER) -> list[ImageRow]:
    """The lines of images.csv; raises UserError when it is missing or not such a table."""
    path = _existing(directory, folder, "images.csv")
    text = io.StringIO(path.read_bytes().decode(), newline="")
    header, *lines = list(csv.reader(text)) or [[]]
    if header != list(COLUMNS):
        raise UserError(f"{path}: the header is not {','.join(COLUMNS)}; evaluate the run again")
    try:
        return [
            ImageRow(*(c(x) for c, x in zip(COLUMNS.values(), line, strict=True))) for line in lines
        ]
    except ValueError as error:
        raise UserError(f"{path}: {error}; evaluate the run again") from error


def read_summary(directory: PathLike, folder: str = FOLDER) -> dict[str, Any]:
    """The entries of summary.json, null as nan; raises UserError when missing or broken."""
    path = _existing(directory, folder, "summary.json")
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error}); evaluate the run again") from error
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


def _csv(rows: Sequence[ImageRow]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(dataclasses.astuple(row) for row in rows)
    return text.getvalue()


def _npz(images: Predictions) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, **dataclasses.asdict(images))
    return content.getvalue()


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
