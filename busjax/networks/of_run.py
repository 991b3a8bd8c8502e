"""The trained network in the folder of a run: its best checkpoint, and what belongs to it."""

from __future__ import annotations

from etils import epath

from busjax.config import Config
from busjax.data import splits
from busjax.networks import abstention, calibration
from busjax.networks.trained import Trained, TrainedOn
from busjax.runs import configuration
from busjax.runs.checkpoint import restore_best


def read(workdir: epath.Path, config: Config | None = None) -> Trained:
    """Reads the best checkpoint of a run.

    Args:
        workdir: the folder.
        config: that asks; fields of the network must agree.

    Raises:
        UserError: there is no run or no whole checkpoint, or it is of another network.
    """
    own = configuration.read(workdir)
    step, variables, data = restore_best(workdir, config or own)
    return Trained(
        workdir,
        own,
        step,
        data.get("epoch"),
        variables,
        calibration.read(workdir),
        trained_on(workdir),
        abstention.read(workdir),
    )


def trained_on(workdir: epath.Path) -> TrainedOn:
    """The images of a run, from its split.json.

    Raises:
        UserError: it cannot be read.
    """
    path = workdir / splits.FILE
    split, saved = splits.read(path), splits.provenance(path)
    known = saved.get("digests")
    return TrainedOn(
        source=str(saved.get("source", "")),
        description=str(saved.get("description", "")),
        digests=None if known is None else {
            part: tuple(sorted(known[id] for id in ids if id in known))
            for part, ids in split.parts().items()
        },
        counts={part: len(ids) for part, ids in split.parts().items()},
        split_digest=splits.digest(split),
    )  # fmt: skip
