"""What one configuration runs on the devices: network, optimiser and the mapped steps."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from busjax import flat, processes
from busjax.config import Config
from busjax.models.prediction import Ensemble
from busjax.training import parallel
from busjax.training.compiled import compiled
from busjax.training.hyperparameters import Hyperparameters, form_of, hyperparameters_of
from busjax.training.steps import TrainState


class Program:
    """The steps of a configuration, mapped over its devices; nothing is compiled before it is used.

    Attributes:
        mesh: the devices, along one axis.
        network: the flax module.

    Raises:
        UserError: fields that do not fit this machine's devices.
    """

    def __init__(self, config: Config, total_steps: int, mesh: Mesh | None = None) -> None:
        """Takes the devices of `config.parallel`, or of a mesh, which may be of another machine."""
        self._config = config
        self._map = config.parallel.map
        self.mesh = mesh or parallel.make_mesh(config.parallel)
        self._check_sizes()
        self._numbers = hyperparameters_of(config, total_steps)
        options = parallel.compiler_options(config.parallel, self.mesh)
        self._compiled = compiled(
            form_of(config),
            config.data.image_size,
            self.mesh,
            self._map,
            tuple(options.items()),
        )
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

    def compile_ahead(self) -> None:
        """Starts compiling the train step, and then the evaluation step, beside what comes next."""
        train = self._config.train
        self._compiled.start(train.batch_size, train.eval_batch_size, self._numbers)

    def abstract_batch(self, batch_size: int) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes, dtypes and shardings of a batch of all devices, for lowering."""
        return self._compiled.abstract_batch(batch_size)

    def abstract_state(self) -> Any:
        """Shapes, dtypes and shardings of the state, for restoring, without any computation."""
        return self._compiled.abstract_state(self._numbers)

    @property
    def steps(self) -> tuple[Any, Any]:
        """The mapped train and evaluation steps as they are jitted, for lowering and export."""
        return self._compiled.train_step, self._compiled.eval_step

    @property
    def numbers(self) -> Hyperparameters:
        """The hyperparameters that the train step takes; the evaluation step takes its `loss`."""
        return self._numbers

    def draw(self) -> Any:
        """The initial variables of the network, as numpy arrays; the same for the same seed."""
        with processes.waiting_for("compiling what draws the initial weights"):
            return jax.device_get(self._compiled.draw(self._numbers.seed))

    def init_state(self, variables: Any = None) -> TrainState:
        """The state at step 0, on all devices, of these variables; None: as they are drawn."""
        variables = self.draw() if variables is None else variables
        return parallel.replicate(self._compiled.state(variables, self._numbers), self.mesh)

    def train_step(
        self, state: TrainState, batch: dict[str, np.ndarray]
    ) -> tuple[TrainState, dict[str, jax.Array]]:
        """One step on this process's share of a batch; the state given is used up."""
        step = self._compiled.step("train", self._size(batch), self._numbers)
        return step(state, self._on_devices, self._sharded(batch))

    def train_memory(self) -> int:
        """Bytes that a device needs for a train step beside the state; compiles it.

        0 where the device does not tell.
        """
        step: Any = self._compiled.step("train", self._config.train.batch_size, self._numbers)
        analysis = step.memory_analysis() if hasattr(step, "memory_analysis") else None
        return int(analysis.temp_size_in_bytes) if analysis else 0

    def _size(self, batch: dict[str, np.ndarray]) -> int:
        """Images over all processes, of which each has as many."""
        return len(batch["valid"]) * jax.process_count()

    def _sharded(self, batch: dict[str, np.ndarray]) -> dict[str, jax.Array]:
        return parallel.shard_batch(batch, self.mesh, self._map)

    def learning_rate(self, step: int) -> float:
        """That of the step after `step` others."""
        index = parallel.replicate(np.int32(step), self.mesh)
        return float(jax.device_get(self._compiled.learning_rate(self._on_devices, index)))

    def saved(self, state: TrainState) -> TrainState:
        """The state as a checkpoint takes it, over all processes."""
        return parallel.globalise(state, self.mesh)

    def evaluated(self, state: TrainState) -> Any:
        """The variables that evaluation uses, as numpy arrays that outlive the state."""
        # Cut on the host, where it is free; the optimiser's moments stay on the devices.
        return jax.tree.map(np.copy, flat.unflatten(jax.device_get(state.weights)))

    def evaluate(
        self, ensemble: Ensemble, batches: Iterable[dict[str, np.ndarray]]
    ) -> dict[str, np.ndarray]:
        """Evaluates batches; what `steps.eval_step` gives, in the order of 'index', no padding."""
        ensemble, parts = parallel.replicate(ensemble, self.mesh), []  # once, not with every batch
        for batch in batches:
            size, members = self._size(batch), len(ensemble.members)
            step = self._compiled.step("evaluation", size, self._numbers, members)
            outputs = step(ensemble, self._on_devices.loss, self._sharded(batch))
            parts.append(parallel.fetch(outputs))
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        real = np.flatnonzero(joined["valid"] > 0)
        order = real[np.argsort(joined["index"][real], kind="stable")]
        return {name: values[order] for name, values in joined.items()}
