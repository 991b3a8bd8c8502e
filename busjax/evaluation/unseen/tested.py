"""A network on a set, without the images that it has seen."""

from __future__ import annotations

import dataclasses
import os

from etils import epath

from busjax import files
from busjax.config import Config
from busjax.data import records, sources
from busjax.data.records import RecordSource
from busjax.errors import UserError
from busjax.evaluation import external, grid
from busjax.evaluation.evaluate import evaluate
from busjax.evaluation.unseen.measure import frozen_threshold
from busjax.networks import portable
from busjax.networks.places import find, settings, trained_on
from busjax.runs import results
from busjax.runs.rows import ImageRow


class AllSeen(UserError):
    """A network was trained or chosen on all images of a set."""


@dataclasses.dataclass(frozen=True)
class Tested:
    """A network on the images of a set that it has not seen.

    Attributes:
        network: the name of its folder.
        trained: the description of its images.
        tested: the name of the set.
        rows: one an image.
        scanners: of each row, '' where it is not known.
        n_seen: images that were left out, for the network was trained or chosen on them; None: it
            does not say which it has seen.
        threshold: of malignancy.
        is_frozen: whether the threshold comes of validation images; else it is 0.5.
        is_phantom: whether network or set is of phantoms.
    """

    network: str
    trained: str
    tested: str
    rows: list[ImageRow]
    scanners: list[str]
    n_seen: int | None
    threshold: float
    is_frozen: bool
    is_phantom: bool


def of(place: files.PathLike, directory: epath.Path) -> Tested:
    """Evaluates a network on a folder, in the pixels of the images; what was evaluated is read.

    Args:
        place: the network, see `places.find`.
        directory: a folder of images, known by its layout.

    Raises:
        AllSeen: the network was trained or chosen on all of it.
        UserError: there is no network; the folder is no set.
    """
    workdir = find(place)
    asked = settings(place).but(data={"source": "auto", "dir": os.fspath(directory)})
    config = external.of_folder(asked).but(inference={"grid": grid.IMAGE})
    source = sources.open_source(config.data, os.getcwd())
    known = trained_on(place)
    digests = records.digests(source)
    ids = tuple(id for id in source.ids if digests[id] not in known.seen)
    if not ids:
        raise AllSeen(f"{workdir} has seen all {len(source)} images of {directory}")
    folder = _evaluated(config, workdir, source, ids, digests, directory)
    rows = results.read_rows(workdir, folder)
    by_id = dict(zip(source.ids, records.scanners(source), strict=True))
    threshold = frozen(workdir)
    knows_seen = known.digests is not None
    return Tested(
        workdir.name,
        known.description,
        directory.name,
        rows,
        [by_id[row.id] for row in rows],
        len(source) - len(ids) if knows_seen else None,
        0.5 if threshold is None else threshold,
        threshold is not None,
        "phantom" in (known.source, source.name),
    )


def frozen(workdir: epath.Path) -> float | None:
    """The threshold of malignancy that validation images asked for; None: none is known.

    Args:
        workdir: the folder of a run, or of a network that was handed over.
    """
    if portable.exists(workdir):
        told = portable.content(workdir).get("malignancy_threshold")
        return None if told is None else float(told)
    return frozen_threshold(results.read_validation(workdir))


def _evaluated(
    config: Config,
    workdir: epath.Path,
    source: RecordSource,
    ids: tuple[str, ...],
    digests: dict[str, str],
    directory: epath.Path,
) -> str:
    """The folder of the results within that of the network; made where it is not there."""
    digest = external.digest_of({id: digests[id] for id in ids})
    name = external.results_folder(workdir, epath.Path(f"unseen_{directory.name}"), digest)
    if results.exist(workdir, name):  # of these very images, or it would have another name
        print(f"evaluated before: {workdir / name}", flush=True)
        return name
    print(f"{config.name} on {len(ids)} images of {directory}", flush=True)
    facts = {
        "data_dir": os.fspath(directory),
        "data_digest": digest,
        "images_seen_in_training": 0,
    }
    with files.written(workdir):
        evaluate(config, workdir, source, ids, name, facts)
    return name
