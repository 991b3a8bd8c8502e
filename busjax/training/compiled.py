"""What is compiled for a form of the steps, once in a process, whatever runs use it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from busjax import processes, waiting
from busjax.config import Model
from busjax.models import architectures
from busjax.models.prediction import Ensemble
from busjax.training import optim, parallel, steps
from busjax.training.hyperparameters import Form, Hyperparameters
from busjax.training.steps import AXIS, TrainState


def drawing(model: Model, image_size: int, axis_name: str | None = None) -> Callable[[Any], Any]:
    """From a seed, () uint32, the initial variables of a network for such images; jitted."""
    # The weights are the same with any operations; the reference is traced in half the time.
    plain = architectures.build(model.but(ops="reference"), axis_name)
    shape = (image_size, image_size, model.image_channels)
    return jax.jit(functools.partial(steps.init_variables, plain, shape=shape))


class Compiled:
    """The functions of a form on a mesh, each compiled when it is first needed, or ahead of that.

    Attributes:
        network: the flax module.
        draw: from a seed to the initial variables.
        state: from variables and hyperparameters to the state at step 0.
        learning_rate: from hyperparameters and a step's index.
        train_step, eval_step: mapped over the devices, as they are jitted.
    """

    def __init__(
        self,
        form: Form,
        image_size: int,
        mesh: Mesh,
        how: str,
        options: tuple[tuple[str, int], ...] = (),
    ) -> None:
        """Takes XLA's options of the steps as pairs; with pmap there are none."""
        self._options = dict(options)
        self._form, self._size, self._mesh, self._map = form, image_size, mesh, how
        self.network = network = architectures.build(form.model, axis_name=AXIS)
        self.draw = drawing(form.model, image_size, AXIS)
        self.state = jax.jit(functools.partial(steps.init_state, form=form))
        self.learning_rate = jax.jit(optim.learning_rate)
        train_step = functools.partial(steps.train_step, network=network, form=form)
        eval_step = functools.partial(steps.eval_step, network=network, form=form)
        self.train_step: Any = parallel.map_train_step(train_step, mesh, how)
        self.eval_step: Any = parallel.map_eval_step(eval_step, mesh, how)
        self._executables: dict[tuple[str, int, int], Future[Any]] = {}

    def start(self, batch_size: int, eval_batch_size: int, numbers: Hyperparameters) -> None:
        """Starts compiling the train step, and then the evaluation step, beside what comes next."""
        if self._map == "pmap":  # lays out what it is given otherwise, and compiles when called
            return
        train = self._start("train", batch_size, numbers)
        self._start("evaluation", eval_batch_size, numbers, after=train)

    def step(
        self, name: str, batch_size: int, numbers: Hyperparameters, members: int = 1
    ) -> Callable[..., Any]:
        """The step 'train' or 'evaluation' for such batches; says so where it has to be waited for.

        Args:
            name: of the step.
            batch_size: images over all devices.
            numbers: of any run: their shapes alone count.
            members: of the ensemble that is evaluated.
        """
        if self._map == "pmap":
            return {"train": self.train_step, "evaluation": self.eval_step}[name]
        executable = self._start(name, batch_size, numbers, members)
        if not executable.done():
            with processes.waiting_for(f"compiling the {name} step"):
                futures.wait([executable])
        return executable.result()

    def _start(
        self,
        name: str,
        batch_size: int,
        numbers: Hyperparameters,
        members: int = 1,
        after: Future[Any] | None = None,
    ) -> Future[Any]:
        def compile_step() -> Any:
            if after is not None:  # one after the other: each uses several cores
                futures.wait([after])
            lowered = self._lower(name, batch_size, numbers, members)
            return lowered.compile(compiler_options=self._options)

        key = (name, batch_size, members)
        if key not in self._executables:
            self._executables[key] = waiting.in_background(compile_step)
        return self._executables[key]

    def _lower(self, name: str, batch_size: int, numbers: Hyperparameters, members: int) -> Any:
        numbers, batch = self._replicated(numbers), self.abstract_batch(batch_size)
        state = self.abstract_state(numbers)
        if name == "train":
            return self.train_step.lower(state, numbers, batch)
        variables = self._replicated(jax.eval_shape(lambda state: state.evaluated, state))
        ensemble = self._replicated(Ensemble((variables,) * members))
        return self.eval_step.lower(ensemble, numbers.loss, batch)

    def abstract_state(self, numbers: Hyperparameters) -> Any:
        """Shapes, dtypes and shardings of the state."""

        def start(numbers: Hyperparameters) -> TrainState:
            return self.state(self.draw(numbers.seed), numbers)

        return self._replicated(jax.eval_shape(start, numbers))

    def abstract_batch(self, batch_size: int) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes, dtypes and shardings of a batch of all devices."""
        size, channels = self._size, self._form.model.image_channels
        shapes = {
            "image": ((size, size, channels), np.float32),
            "mask": ((size, size, 1), np.float32),
            "label": ((), np.int32),
            "valid": ((), np.float32),
            "index": ((), np.int32),
        }
        if self._form.pads:
            shapes["inside"] = shapes["mask"]
        sharding = parallel.sharded(self._mesh)
        return {
            name: jax.ShapeDtypeStruct((batch_size, *shape), dtype, sharding=sharding)
            for name, (shape, dtype) in shapes.items()
        }

    def _replicated(self, tree: Any) -> Any:
        """Shapes and dtypes of a tree that every device holds whole."""
        sharding = parallel.replicated(self._mesh)
        return jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), tree
        )


compiled = functools.lru_cache(maxsize=8)(Compiled)
"""As `Compiled`; the same again where a program of this process has asked for it before."""
