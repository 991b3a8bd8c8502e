"""The variables of finished runs, to start from or to average with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax
from ml_collections import ConfigDict

from busjax.errors import UserError
from busjax.files import PathLike, locate
from busjax.training import configuration
from busjax.training.checkpoint import restore_best
from busjax.training.program import Program
from configs.fields import FREE, differing, flatten

# Fields of a network that do not change its variables, nor what they mean.
_ANY = FREE | {"model.refine", "model.encoder_weights", "model.encoder_norms", "model.dropout",
               "model.classifier_dropout", "model.deep_supervision",
               "model.batch_norm_momentum"}  # fmt: skip


def variables(run: PathLike) -> tuple[int, Any]:
    """The step of a run's best checkpoint, and what it is evaluated with, as numpy arrays.

    Raises:
        UserError: there is no such run.
    """
    workdir = locate(run)
    config = configuration.load_sound(workdir)
    config.parallel.devices = 0 if jax.process_count() > 1 else 1
    config.train.init_from = config.model.encoder_weights = ""
    config.train.batch_size = config.train.eval_batch_size = (
        jax.device_count() * config.optim.micro_batches
    )
    step, state, _ = restore_best(workdir, Program(config, 1).abstract_state(), config)
    return step, jax.device_get(state.evaluated)


def folders(inference: ConfigDict) -> list[str]:
    """The runs that `config.inference.members` names."""
    return [name for name in inference.members.split(",") if name]


def of_same_network(config: ConfigDict, runs: Iterable[PathLike]) -> list[Any]:
    """The variables of runs, to be averaged with those of the run of this configuration.

    Raises:
        UserError: one is no run, or its network is another one.
    """
    found = []
    for run in runs:
        _check_same_network(config, run)
        found.append(variables(run)[1])
    return found


def _check_same_network(config: ConfigDict, folder: PathLike) -> None:
    """Raises a UserError unless the run has the same network, for images of the same size."""
    ours, theirs = (
        flatten(c.to_dict()) for c in (config, configuration.load_sound(locate(folder)))
    )
    names = {name for name in ours if name.startswith("model.")} | {"data.image_size"}
    if found := differing(theirs, ours, names - _ANY):
        raise UserError(
            f"'{folder}' cannot be averaged with this run: {', '.join(found)}; average networks of "
            "one kind"
        )
