"""Where a run starts from: published weights of its encoder, or what another run has learnt."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from busjax.errors import UserError
from busjax.models import weights
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


def with_encoder(state: TrainState, model: ConfigDict) -> TrainState:
    """Puts the published weights of `config.model.encoder_weights` into the encoder.

    Raises:
        UserError: they are missing, or do not fit.
    """
    where = model.encoder_weights
    params, statistics = weights.load(model.encoder, where, model.image_channels)

    def fitted(tree: Any, given: Any) -> Any:
        return {**tree, "encoder": weights.fit(tree["encoder"], given, where)}

    network = fitted(state.params["network"], params)
    return _with(state, network, fitted(state.batch_stats, statistics))


def from_run(state: TrainState, train: ConfigDict) -> tuple[TrainState, Taken]:
    """Takes over what the best checkpoint of `config.train.init_from` has evaluated with.

    A tensor is taken over where the other run has one of that name and shape; with
    `config.train.init_parts` 'encoder' only those of the encoder.

    Raises:
        UserError: there is no such run, or it has nothing that fits.
    """
    from busjax.training.members import variables  # whose program starts from what is read here

    step, found = variables(train.init_from)
    counted: list[str] = []
    left: list[str] = []

    def merge(tree: Any, given: Any, path: str) -> Any:
        if isinstance(tree, dict):
            return {
                key: merge(value, given.get(key, {}) if isinstance(given, dict) else {},
                           f"{path}/{key}" if path else key)
                for key, value in tree.items()
            }  # fmt: skip
        wanted = train.init_parts == "all" or path.startswith("encoder/")
        fits = wanted and getattr(given, "shape", None) == tree.shape
        (counted if fits else left).append(path)
        return jnp.asarray(given, tree.dtype) if fits else tree

    network = merge(state.params["network"], found["params"], "")
    if not counted:
        raise UserError(
            f"config.train.init_from={train.init_from}: not one tensor fits this network; give a "
            "run of the same encoder and width"
        )
    params_taken, params_left = len(counted), tuple(left)
    statistics = merge(state.batch_stats, found["batch_stats"], "")
    return _with(state, network, statistics), Taken(step, params_taken, params_left)


def _with(state: TrainState, network: Any, statistics: Any) -> TrainState:
    return state.replace(  # type: ignore[attr-defined]
        params={**state.params, "network": network},
        batch_stats=statistics,
        # A copy: a donated state must not hold one buffer twice.
        ema=None if state.ema is None else jax.tree.map(jnp.copy, network),
    )
