"""A trained network on another set of images: an external test."""

from __future__ import annotations

import hashlib
import json
import re

from etils import epath

from busjax.config import FIELDS, Config
from busjax.data import records, splits
from busjax.data.records import RecordSource
from busjax.errors import UserError
from busjax.networks import portable
from busjax.networks.trained import TrainedOn
from busjax.runs import configuration, results

# Fields that tell of other images, not of the network that reads them.
DATA = frozenset(name for name in FIELDS if name.startswith("data.")) - {
    "data.image_size",
    "data.fit",
}


def is_asked_for(config: Config, workdir: epath.Path) -> bool:
    """Whether the configuration names another data folder than the run was trained on."""
    return bool(config.data.dir) and config.data.dir != configuration.fields(workdir)["data.dir"]


def is_own(source: RecordSource, workdir: epath.Path) -> bool:
    """Whether these are the very images of the run, lying elsewhere.

    A run of a version that kept no digests: whether it had as many, from the same kind of source.
    """
    if portable.exists(workdir):  # it names no image: which were its test part is not known
        return False
    saved = splits.provenance(workdir / splits.FILE)
    if "digests" not in saved:
        split = splits.read(workdir / splits.FILE)
        ids = {id for part in split.parts().values() for id in part}
        return saved.get("source") == source.name and ids == set(source.ids)
    return saved["digests"] == records.digests(source)


def of_folder(config: Config) -> Config:
    """The configuration for all images of its data folder: lists and split are not those of it.

    But for a table, which must be described, the folder is known by its layout.
    """
    source = "table" if config.data.source == "table" else "auto"
    alone = {"curation": "none", "groups": "", "split_file": "", "extra": "", "source": source}
    return config.but(data=alone)


def seen(digests: dict[str, str], trained_on: TrainedOn) -> int:
    """How many of the images of these `records.digests` the network was trained or chosen on."""
    return sum(digest in trained_on.seen for digest in digests.values())


def digest_of(digests: dict[str, str]) -> str:
    """SHA-256 of the images of these `records.digests`."""
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


def results_folder(
    workdir: epath.Path, data: epath.Path, digest: str, asked: str = results.FOLDER
) -> str:
    """The folder for the results: as asked, else evaluation_<name of the data folder>, a free one.

    Args:
        workdir: of the run.
        data: the folder of the images.
        digest: of all images; an earlier evaluation of the same is replaced.
        asked: a folder within `workdir`; that of the run's own results: none is asked for.

    Raises:
        UserError: the folder that is asked for holds results of other images.
    """
    if asked != results.FOLDER:
        check_replaces(workdir, asked, digest)
        return asked
    name = re.sub(r"[^\w.-]+", "_", data.name) or "data"
    number, folder = 1, f"{results.FOLDER}_{name}"
    while _holds_others(workdir, folder, digest):
        number += 1
        folder = f"{results.FOLDER}_{name}_{number}"
    return folder


def check_replaces(workdir: epath.Path, folder: str, digest: str | None = None) -> None:
    """Raises a UserError where `folder` holds results of other images than these.

    Args:
        workdir: of the run.
        folder: within it.
        digest: of all images of an external test; None: those of the run's own test split.
    """
    if _holds_others(workdir, folder, digest):
        raise UserError(
            f"{workdir / folder} holds the results of other images: choose another name with "
            "--evaluation, or remove that folder"
        )


def _holds_others(workdir: epath.Path, folder: str, digest: str | None) -> bool:
    """What is broken is none, as what was cut off: evaluating again is its remedy."""
    if not results.exist(workdir, folder):
        return False
    try:
        return results.read_summary(workdir, folder).get("data_digest") != digest
    except UserError:
        return False
