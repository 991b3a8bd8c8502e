"""The variables that finished runs are evaluated with: to predict, to start from, to average."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from busjax.config import FREE, Config, Inference, differing
from busjax.errors import UserError
from busjax.files import PathLike, locate
from busjax.runs import configuration
from busjax.runs.checkpoint import restore_best

# Fields of a network that do not change its variables, nor what they mean.
_ANY = FREE | {"model.refine", "model.encoder_weights", "model.encoder_norms", "model.dropout",
               "model.classifier_dropout", "model.deep_supervision",
               "model.batch_norm_momentum"}  # fmt: skip


def best_variables(run: PathLike) -> tuple[int, Any]:
    """The step of a run's best checkpoint, and what it is evaluated with, as numpy arrays.

    Raises:
        UserError: there is no such run.
    """
    workdir = locate(run)
    step, evaluated, _ = restore_best(workdir, configuration.read(workdir))
    return step, evaluated


def member_folders(inference: Inference) -> list[str]:
    """The runs that `config.inference.members` names."""
    return [name for name in inference.members.split(",") if name]


def member_variables(config: Config, runs: Iterable[PathLike]) -> list[Any]:
    """The variables of runs, to be averaged with those of the run of this configuration.

    Raises:
        UserError: one is no run, or its network is another one.
    """
    members = []
    for run in runs:
        _check_same_network(config, run)
        members.append(best_variables(run)[1])
    return members


def _check_same_network(config: Config, folder: PathLike) -> None:
    """Raises a UserError unless the run has the same network, for images of the same size."""
    ours, theirs = config.flat(), configuration.read(locate(folder)).flat()
    names = {name for name in ours if name.startswith("model.")} | {"data.image_size"}
    if changed := differing(theirs, ours, names - _ANY):
        raise UserError(
            f"'{folder}' cannot be averaged with this run: {', '.join(changed)}; average networks "
            "of one kind"
        )
