"""How large a network is, what it computes, and the memory of its train step."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from busjax import compilation, ops
from busjax.config import Config
from busjax.models import architectures
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
    chosen = next(name for name in ops.OPS if ops.select(model.ops) is ops.OPS[name])
    return Cost(
        {name: _count(tree) for name, tree in variables["params"].items()},
        flops(lambda variables, image: network.apply(variables, image), variables, image),
        architectures.activation_dtype(model.dtype).name,
        chosen,
    )


def flops(function: Callable[..., Any], *shapes: Any) -> float:
    """Floating-point operations of a function of arrays of these shapes, as XLA counts them."""
    analysis: Any = jax.jit(function).lower(*shapes).cost_analysis()
    return float(analysis["flops"])


def of_train_step(config: Config) -> StepMemory:
    """Compiles the train step, which is kept for the training, and asks what it needs.

    Raises:
        UserError: fields that do not fit this machine's devices.
    """
    compilation.keep()
    program = Program(config, 1000)
    state = sum(math.prod(x.shape) * x.dtype.itemsize for x in _leaves(program.abstract_state()))
    analysis = program.train_memory()
    devices = program.mesh.size
    return StepMemory(state, analysis, devices)


def _leaves(tree: Any) -> list[Any]:
    return [leaf for leaf in jax.tree.leaves(tree) if hasattr(leaf, "shape")]


def _count(tree: Any) -> int:
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))
