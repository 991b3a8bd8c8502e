"""What one configuration runs on the devices: network, optimiser and the mapped steps."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from busjax.models import network as networks
from busjax.models.network import MultiTaskNet
from busjax.models.prediction import Ensemble
from busjax.training import initial, optim, parallel, steps
from busjax.training.hyperparameters import Form, Hyperparameters, form_of, hyperparameters_of
from busjax.training.steps import AXIS, TrainState


class Compiled(NamedTuple):
    """What is compiled for a form of the steps, once in a process, whatever runs use it.

    Attributes:
        network: the flax module.
        draw: from a seed to the initial variables.
        train_step, eval_step: mapped over the devices.
        learning_rate: from hyperparameters and a step's index.
    """

    network: MultiTaskNet
    draw: Callable[..., Any]
    train_step: Callable[..., Any]
    eval_step: Callable[..., Any]
    learning_rate: Callable[..., Any]


@functools.lru_cache(maxsize=8)
def compiled(form: Form, image_size: int, mesh: Mesh, how: str) -> Compiled:
    """The functions of a form; each is compiled when it is first called, and then kept."""
    network = networks.build(form.model, axis_name=AXIS)
    shape = (image_size, image_size, form.model.image_channels)
    train_step = functools.partial(steps.train_step, network=network, form=form)
    eval_step = functools.partial(steps.eval_step, network=network, form=form)
    return Compiled(
        network,
        jax.jit(functools.partial(steps.init_variables, network, shape=shape)),
        parallel.map_train_step(train_step, mesh, how),
        parallel.map_eval_step(eval_step, mesh, how),
        jax.jit(optim.learning_rate),
    )


class Program:
    """The steps of a configuration, mapped over its devices; nothing is compiled before it is used.

    Attributes:
        mesh: the devices, along one axis.
        network: the flax module.

    Raises:
        UserError: fields that do not fit this machine's devices.
    """

    def __init__(self, config: ConfigDict, total_steps: int, mesh: Mesh | None = None) -> None:
        """Takes the devices of `config.parallel`, or of a mesh, which may be of another machine."""
        self._config = config
        self._map = config.parallel.map
        self.mesh = mesh or parallel.make_mesh(config.parallel)
        self._check_sizes()
        self._form = form_of(config)
        self._numbers = hyperparameters_of(config, total_steps)
        self._compiled = compiled(self._form, config.data.image_size, self.mesh, self._map)
        self.network = self._compiled.network

    @functools.cached_property
    def _on_devices(self) -> Hyperparameters:
        """The hyperparameters, put on the devices once."""
        return parallel.replicate(self._numbers, self.mesh)

    def _check_sizes(self) -> None:
        config = self._config
        train, evaluation = config.train.batch_size, config.train.eval_batch_size
        micro = config.optim.micro_batches
        parallel.check_batch_size("config.train.batch_size", train, self.mesh, micro)
        parallel.check_batch_size("config.train.eval_batch_size", evaluation, self.mesh)

    def abstract_batch(self, batch_size: int) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes, dtypes and shardings of a batch of all devices, for lowering."""
        size, channels = self._config.data.image_size, self._config.model.image_channels
        shapes = {
            "image": ((size, size, channels), np.float32),
            "mask": ((size, size, 1), np.float32),
            "label": ((), np.int32),
            "valid": ((), np.float32),
            "index": ((), np.int32),
        }
        sharding = parallel.sharded(self.mesh)
        return {
            name: jax.ShapeDtypeStruct((batch_size, *shape), dtype, sharding=sharding)
            for name, (shape, dtype) in shapes.items()
        }

    @property
    def steps(self) -> tuple[Any, Any]:
        """The mapped train and evaluation steps as they are jitted, for lowering and export."""
        return self._compiled.train_step, self._compiled.eval_step

    @property
    def numbers(self) -> Hyperparameters:
        """The hyperparameters that the train step takes; the evaluation step takes its `loss`."""
        return self._numbers

    def init_state(self) -> TrainState:
        """The state at step 0, on all devices; the same for the same `config.seed`.

        Raises:
            UserError: published weights or the run to start from are missing, or do not fit.
        """
        config = self._config
        variables = jax.device_get(self._compiled.draw(self._numbers.seed))
        if config.model.encoder_weights:
            variables = initial.with_encoder(variables, config.model)
        if config.train.init_from:
            variables, taken = initial.from_run(variables, config.train)
            print(f"from {config.train.init_from}: {taken}", flush=True)
        return parallel.replicate(self._state(variables), self.mesh)

    def abstract_state(self) -> Any:
        """Shapes, dtypes and shardings of the state, for restoring, without any computation."""
        sharding = parallel.replicated(self.mesh)
        return jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding),
            jax.eval_shape(lambda seed: self._state(self._compiled.draw(seed)), self._numbers.seed),
        )

    def _state(self, variables: Any) -> TrainState:
        return steps.init_state(variables, self._form, self._numbers)

    def train_step(
        self, state: TrainState, batch: dict[str, np.ndarray]
    ) -> tuple[TrainState, dict[str, jax.Array]]:
        """One step on this process's share of a batch; the state given is used up."""
        sharded = parallel.shard_batch(batch, self.mesh, self._map)
        return self._compiled.train_step(state, self._on_devices, sharded)

    def learning_rate(self, step: int) -> float:
        """That of the step after `step` others."""
        index = parallel.replicate(np.int32(step), self.mesh)
        return float(jax.device_get(self._compiled.learning_rate(self._on_devices, index)))

    def saved(self, state: TrainState) -> TrainState:
        """The state as a checkpoint takes it, over all processes."""
        return parallel.globalise(state, self.mesh)

    def evaluated(self, state: TrainState) -> Any:
        """The variables that evaluation uses, as numpy arrays that outlive the state."""
        return jax.tree.map(np.copy, jax.device_get(state).evaluated)

    def evaluate(
        self, ensemble: Ensemble, batches: Iterable[dict[str, np.ndarray]]
    ) -> dict[str, np.ndarray]:
        """Evaluates batches; what `steps.eval_step` gives, in the order of 'index', no padding."""
        ensemble, parts = parallel.replicate(ensemble, self.mesh), []  # once, not with every batch
        for batch in batches:
            sharded = parallel.shard_batch(batch, self.mesh, self._map)
            evaluated = self._compiled.eval_step(ensemble, self._on_devices.loss, sharded)
            parts.append(parallel.fetch(evaluated))
        found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        real = np.flatnonzero(found["valid"] > 0)
        order = real[np.argsort(found["index"][real], kind="stable")]
        return {name: values[order] for name, values in found.items()}
