"""How large a network is, what it computes, and the memory of its train step."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from busjax import compilation, ops
from busjax.config import Config
from busjax.models import architectures
from busjax.models.network import count_parameters
from busjax.training.compiled import drawing
from busjax.training.program import Program


@dataclasses.dataclass(frozen=True)
class Cost:
    """Of a network.

    Attributes:
        parts: parameters of its parts, by name.
        flops: floating-point operations for one image, forward; a multiplication and an addition
            are two.
        dtype: of the activations on this machine.
        ops: the implementation of the operations here.
    """

    parts: dict[str, int]
    flops: float
    dtype: str
    ops: str

    @property
    def parameters(self) -> int:
        return sum(self.parts.values())


@dataclasses.dataclass(frozen=True)
class StepMemory:
    """Bytes on each device.

    Attributes:
        state: weights, moments and moving average.
        step: what a train step needs besides.
        devices: that share the batch.
    """

    state: int
    step: int
    devices: int


def of_network(config: Config) -> Cost:
    """Traces the network; nothing is compiled."""
    model, size = config.model, config.data.image_size
    variables = jax.eval_shape(drawing(model, size), jax.ShapeDtypeStruct((), jnp.uint32))
    network = architectures.build(model.but(ops="reference", dtype="float32"))
    image = jax.ShapeDtypeStruct((1, size, size, model.image_channels), jnp.float32)
    return Cost(
        {name: count_parameters(tree) for name, tree in variables["params"].items()},
        compilation.flops(network.apply, variables, image),
        architectures.activation_dtype(model.dtype).name,
        ops.chosen(model.ops),
    )


def of_train_step(config: Config) -> StepMemory:
    """Compiles the train step, which is kept for the training, and asks what it needs.

    Raises:
        UserError: fields that do not fit this machine's devices.
    """
    compilation.keep()
    program = Program(config, 1000)
    state = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(program.abstract_state()))
    return StepMemory(state, program.train_memory(), program.mesh.size)
