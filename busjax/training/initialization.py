"""Where a run starts from: published weights of its encoder, or what another run has learnt."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import numpy as np

from busjax.config import Config, Model, Train
from busjax.errors import UserError
from busjax.models import architectures, weights
from busjax.models.network import MultiTaskNet
from busjax.networks.places import open_network
from busjax.training.compiled import drawing
from busjax.training.program import Program
from busjax.training.steps import TrainState

_NAMED = 6  # tensors that a message names, at most


@dataclasses.dataclass(frozen=True)
class Taken:
    """What another run gave: how many tensors, and the names of those that it did not."""

    step: int
    count: int
    left: tuple[str, ...]

    def __str__(self) -> str:
        named = ", ".join(self.left[:_NAMED])
        more = f" and {len(self.left) - _NAMED} more" if len(self.left) > _NAMED else ""
        drawn = f"; drawn anew ({len(self.left)}): {named}{more}" if self.left else ""
        return f"{self.count} tensors of step {self.step} taken over{drawn}"


class Built(NamedTuple):
    """A network and its variables {'params', 'batch_stats'}, numpy arrays in float32."""

    network: MultiTaskNet
    variables: Any


def build(config: Config) -> Built:
    """The network of a configuration, drawn, with published weights in its encoder if asked for.

    Raises:
        UserError: the weights are missing, or do not fit.
    """
    model, draw = config.model, drawing(config.model, config.data.image_size)
    variables = jax.device_get(draw(np.uint32(config.seed % 2**32)))
    if model.encoder_weights:
        variables = with_encoder(variables, model)
    return Built(architectures.build(model), variables)


def start(program: Program, config: Config) -> TrainState:
    """The state at step 0: drawn, then with what `config` takes over from elsewhere.

    Raises:
        UserError: published weights or the run to start from are missing, or do not fit.
    """
    variables = program.draw()
    if config.model.encoder_weights:
        variables = with_encoder(variables, config.model)
    if config.train.init_from:
        variables, taken = from_run(variables, config.train)
        print(f"from {config.train.init_from}: {taken}", flush=True)
    return program.init_state(variables)


def with_encoder(variables: Any, model: Model) -> Any:
    """Variables with the published weights of `config.model.encoder_weights` in the encoder.

    Raises:
        UserError: they are missing, or do not fit.
    """
    where = model.encoder_weights
    params, statistics = weights.read(model.encoder, where, model.image_channels)

    def fitted(tree: Any, given: Any) -> Any:
        return {**tree, "encoder": weights.fit(tree["encoder"], given, where)}

    return {
        "params": fitted(variables["params"], params),
        "batch_stats": fitted(variables["batch_stats"], statistics),
    }


def from_run(variables: Any, train: Train) -> tuple[Any, Taken]:
    """Variables that take over what the network of `config.train.init_from` evaluates with.

    A tensor is taken over where the other run has one of that name and shape; with
    `config.train.init_parts` 'encoder' only those of the encoder.

    Raises:
        UserError: there is no such run, or it has nothing that fits.
    """
    given = open_network(train.init_from)
    counted: list[str] = []
    left: list[str] = []

    def merge(tree: Any, other: Any, path: str) -> Any:
        if isinstance(tree, dict):
            return {
                key: merge(value, other.get(key, {}) if isinstance(other, dict) else {},
                           f"{path}/{key}" if path else key)
                for key, value in tree.items()
            }  # fmt: skip
        wanted = train.init_parts == "all" or path.startswith("encoder/")
        fits = wanted and getattr(other, "shape", None) == tree.shape
        (counted if fits else left).append(path)
        return np.asarray(other, tree.dtype) if fits else tree

    params = merge(variables["params"], given.variables["params"], "")
    if not counted:
        raise UserError(
            f"config.train.init_from={train.init_from}: not one tensor fits this network; give a "
            "network of the same encoder and width"
        )
    taken = Taken(given.step, len(counted), tuple(left))
    statistics = merge(variables["batch_stats"], given.variables["batch_stats"], "")
    return {"params": params, "batch_stats": statistics}, taken
