"""The results of `busjax.inference.predict`: masks, overlays, predictions.json and pages."""

from __future__ import annotations

import contextlib
import io
import urllib.parse
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from etils import epath
from PIL import Image

from busjax import files
from busjax.errors import UserError
from busjax.inference import predictions_page, record
from busjax.inference.frame import Frame
from busjax.inference.inputs import File
from busjax.inference.predictions_page import Case
from busjax.runs import lock

if TYPE_CHECKING:
    from busjax.inference.predictor import Predictor, Reading

_SILENT = 60  # seconds after which another machine's prediction counts as dead
_COLOUR = (255, 159, 28)  # of the outlines, as on the pages


class Folder:
    """Writes what was read of each frame; every file appears whole or not at all.

    Args:
        path: the folder, made where it is not there.
        saved: which of masks and overlays to write.
        predictor: whose readings they are.

    Raises:
        UserError: it cannot be written.
    """

    def __init__(self, path: epath.Path, saved: Collection[str], predictor: Predictor) -> None:
        self._path, self._saved = path, saved
        self._about = record.head(predictor)
        self._entries: list[dict[str, Any]] = []  # the numbers of each image
        self._first: list[Case] = []  # those of the first page, which is written last
        self._further: list[Case] = []  # those of the page that is being filled
        self._pages = 1  # the first one, and those that are full
        self._unreadable: list[dict[str, str]] = []
        self._write("predictions.json", self._json())  # tells at once where nothing can be written

    def add(self, file: File, frame: Frame, reading: Reading) -> None:
        """Writes mask and overlay of a frame and keeps its numbers."""
        name = f"{file.name}_frame_{frame.number:04d}" if frame.number else file.name
        saved = {}
        if "masks" in self._saved:
            saved["mask"] = f"masks/{name}.png"
            self._write(saved["mask"], _png(reading.mask.astype(np.uint8) * 255))
        if "overlays" in self._saved:
            saved["overlay"] = f"overlays/{name}.png"
            self._write(saved["overlay"], _png(_overlay(frame.pixels, reading.mask)))
        entry = record.image(file, name, frame, reading, saved)
        links = {kind: urllib.parse.quote(path) for kind, path in saved.items()}
        self._show(
            predictions_page.case(
                len(self._entries), entry, frame.pixels, reading.mask_probability, links
            )
        )
        self._entries.append(entry)

    def add_unreadable(self, path: epath.Path, reason: str) -> None:
        """Keeps the name of a file or folder that could not be read."""
        self._unreadable.append({"file": files.shown(path), "reason": reason})

    def complete(self) -> None:
        """Notes that every file was read, or named as one that could not be."""
        self._about["complete"] = True

    def close(self) -> None:
        """Writes predictions.json and the pages of all that was added."""
        self._write("predictions.json", self._json())
        if self._further:
            self._turn()
        first = predictions_page.page(self._about, self._entries, self._first, self._unreadable)
        self._write(predictions_page.file_name(1), first)

    def _show(self, case: Case) -> None:
        """Puts an image on the first page that has room."""
        if len(self._first) < predictions_page.CASES:
            self._first.append(case)
            return
        self._further.append(case)
        if len(self._further) == predictions_page.CASES:
            self._turn()

    def _turn(self) -> None:
        """Writes a page that is full, or the last one."""
        number = self._pages + 1
        content = predictions_page.further(self._about, number, self._further)
        self._write(predictions_page.file_name(number), content)
        self._pages, self._further = number, []

    def _json(self) -> bytes:
        return record.document(self._about, self._entries, self._unreadable)

    def _write(self, name: str, content: bytes) -> None:
        path = self._path / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            files.replace(path, content)
        except OSError as error:
            raise UserError(f"'{path}' cannot be written: {error.strerror or error}") from error


@contextlib.contextmanager
def reserved(path: epath.Path, overwrite: bool) -> Iterator[None]:
    """Keeps other predictions out of a folder, which is made, for as long as the block lasts.

    Raises:
        UserError: it cannot be made, another prediction writes into it, or it holds files.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out={path} cannot be made: {error.strerror or error}") from error
    with lock.held(path, _SILENT):
        check_free(path, overwrite)
        yield


def check_free(path: epath.Path, overwrite: bool) -> None:
    """Raises a UserError where a folder holds anything, unless it may be overwritten."""
    if path.exists() and not path.is_dir():
        raise UserError(f"--out={path} is a file: give a folder")
    inside = [entry for entry in path.iterdir() if entry.name != lock.FILE] if path.is_dir() else []
    if inside and not overwrite:
        raise UserError(f"--out={path} holds files already: give another folder, or --overwrite")


def _overlay(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The image (H, W, 3) with the outline of the mask, a 256th of its larger side wide."""
    colours = np.repeat(pixels[..., None], 3, axis=-1)
    curves, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(colours, curves, -1, _COLOUR, max(1, max(mask.shape) // 256))


def _png(pixels: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "png", compress_level=3)
    return content.getvalue()
