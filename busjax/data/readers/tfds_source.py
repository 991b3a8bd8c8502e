"""A data set prepared by TensorFlow Datasets -> records, read at random, without TensorFlow."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from busjax.classes import CLASSES
from busjax.data.readers import tfds_builder
from busjax.data.records import Record
from busjax.errors import UserError
from busjax.logs import without_warnings

_FEATURES = ("image", "mask", "label", "id", "group")


class TfdsSource:
    """The records of a prepared data set, in its order; pixels are decoded when asked for.

    Args:
        name: of the data set and its part, such as 'busi/all'.
        data_dir: folder of the prepared sets; '': the usual one of TFDS.
        manual_dir: folder of the raw data, from which it is prepared where it is not yet.

    Raises:
        UserError: it is not known, cannot be prepared, or has other features.
    """

    def __init__(self, name: str, data_dir: str, manual_dir: epath.Path) -> None:
        builder = _prepared(name, data_dir, manual_dir)
        features = builder.info.features or {}
        if missing := [feature for feature in _FEATURES if feature not in features]:
            raise UserError(f"the data set '{name}' has no {', '.join(missing)}: use busi/...")
        skip = {feature: tfds.decode.SkipDecoding() for feature in ("image", "mask")}
        try:
            known = list(builder.as_data_source(split="train", decoders=skip))
        except NotImplementedError as error:
            raise UserError(
                f"the data set '{name}' was prepared without random access in "
                f"'{builder.data_dir}': prepare it as array_record, or give another "
                "config.data.tfds_dir"
            ) from error
        self._records: Any = builder.as_data_source(split="train")
        self.name = builder.name
        self.ids: tuple[str, ...] = tuple(entry["id"].decode() for entry in known)
        self.groups: tuple[str, ...] = tuple(entry["group"].decode() for entry in known)
        self.labels: np.ndarray = np.array([entry["label"] for entry in known], np.int32)
        counts = np.bincount(self.labels, minlength=len(CLASSES))
        classes = ", ".join(
            f"{count} {label}" for count, label in zip(counts, CLASSES, strict=True)
        )
        what = f"TFDS {builder.info.full_name}"
        self.remarks: tuple[str, ...] = ()
        self.description = f"{builder.name.upper()}: {len(known)} images ({classes}), {what}"

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Record:
        entry = self._records[int(index)]
        return Record(
            id=self.ids[index],
            image=entry["image"][..., 0],
            mask=entry["mask"][..., 0],
            label=int(self.labels[index]),
            group=self.groups[index],
        )


def _prepared(name: str, data_dir: str, manual_dir: epath.Path) -> Any:
    assert tfds_builder.Busi.name == "busi"  # imported, and so registered
    tfds.disable_progress_bar()

    def found() -> Any:
        # TFDS warns of a folder that is not prepared yet, which is what is asked here.
        with without_warnings():
            return tfds.builder(name, data_dir=data_dir or None)

    try:
        root = found().data_dir_root
    except (tfds.core.registered.DatasetNotFoundError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"config.data.tfds='{name}' is no data set of TFDS: {reason}") from error
    with _locked(root):
        builder = found()  # again: another process may have prepared it meanwhile
        if not builder.is_prepared():
            _prepare(builder, manual_dir)
    return builder


def _prepare(builder: Any, manual_dir: epath.Path) -> None:
    if not manual_dir.is_dir() or not any(manual_dir.iterdir()):
        raise UserError(
            f"the raw data of '{builder.name}' are not in '{manual_dir}', which holds nothing: "
            f"{tfds_builder.HOW_TO_GET_IT}, and set --config.data.dir to it"
        )
    builder.download_and_prepare(
        file_format="array_record",
        download_config=tfds.download.DownloadConfig(manual_dir=manual_dir),
    )


@contextlib.contextmanager
def _locked(folder: epath.Path) -> Iterator[None]:
    """Lets one process of a machine prepare a set while the others wait for it."""
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(ImportError, OSError):  # no POSIX, or a bucket
            import fcntl

            file = stack.enter_context(open(os.fspath(folder / ".busjax.lock"), "w"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
