"""The mesh of devices, and the mapping of a per-device step over it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from busjax.config import Parallel
from busjax.data.pipeline import Shard
from busjax.errors import UserError
from busjax.training.steps import AXIS


def make_mesh(parallel: Parallel) -> Mesh:
    """Lines up `config.parallel.devices` devices (0: all of them) along the axis 'data'.

    Raises:
        UserError: more devices than there are.
    """
    # A process feeds neighbours along the axis: its part of a batch is one piece.
    devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    count = parallel.devices or len(devices)
    if count != len(devices) and jax.process_count() > 1:
        raise UserError(
            f"config.parallel.devices={count}: {jax.process_count()} processes use all of their "
            "devices; give 0"
        )
    if not 1 <= count <= len(devices):
        raise UserError(
            f"config.parallel.devices={count}, but this machine has {len(devices)}: "
            "give 0 to use them all"
        )
    return Mesh(np.array(devices[:count]), (AXIS,))


def process_shard() -> Shard:
    """The part of every batch that this process feeds to its devices."""
    return Shard(jax.process_index(), jax.process_count())


def check_batch_size(field: str, size: int, mesh: Mesh, micro_batches: int = 1) -> None:
    """Raises a UserError unless a batch divides into equal parts for devices and micro-batches."""
    parts = mesh.size * micro_batches
    if size % parts:
        fits = -(-size // parts) * parts
        raise UserError(
            f"{field}={size} does not divide into {mesh.size} device(s) x {micro_batches} "
            f"micro-batch(es): the next size that fits is {fits}"
        )


def map_train_step(step: Callable[..., Any], mesh: Mesh, how: str) -> Callable[..., Any]:
    """Maps `step(state, numbers, batch) -> (state, scalars)`; all but the batch is replicated.

    The state is donated.
    """
    if how == "pmap":
        return _pmap(step, mesh, out_axes=(None, None), donate=(0,))
    # check_vma=True would sum the gradient of replicated parameters once more (jax issue on
    # shard_map and grad): the collectives in the step are the only ones wanted.
    mapped = jax.shard_map(
        step, mesh=mesh, in_specs=(P(), P(), P(AXIS)), out_specs=(P(), P()), check_vma=False
    )
    return jax.jit(mapped, donate_argnums=0)


def map_eval_step(step: Callable[..., Any], mesh: Mesh, how: str) -> Callable[..., Any]:
    """Maps `step(ensemble, weights, batch) -> arrays per image`, in the order of the batch."""
    if how == "pmap":
        mapped = _pmap(step, mesh, out_axes=0, donate=())
        return lambda *arguments: jax.tree.map(
            lambda x: x.reshape(-1, *x.shape[2:]), mapped(*arguments)
        )
    specs = (P(), P(), P(AXIS))
    return jax.jit(
        jax.shard_map(step, mesh=mesh, in_specs=specs, out_specs=P(AXIS), check_vma=False)
    )


def _pmap(
    step: Callable[..., Any], mesh: Mesh, out_axes: Any, donate: tuple[int, ...]
) -> Callable[..., Any]:
    return jax.pmap(
        step,
        axis_name=AXIS,
        in_axes=(None, None, 0),
        out_axes=out_axes,
        devices=list(mesh.devices.flat),
        donate_argnums=donate,
    )


def compiler_options(parallel: Parallel, mesh: Mesh) -> dict[str, int]:
    """What XLA is asked for beyond its defaults, for the devices of this mesh."""
    if mesh.devices.flat[0].platform == "gpu":
        return {"xla_gpu_autotune_level": parallel.autotune}
    return {}


def replicated(mesh: Mesh) -> NamedSharding:
    """The sharding of what every device holds whole."""
    return NamedSharding(mesh, P())


def sharded(mesh: Mesh) -> NamedSharding:
    """The sharding of a batch, cut along its first axis."""
    return NamedSharding(mesh, P(AXIS))


def replicate(tree: Any, mesh: Mesh) -> Any:
    """Puts a tree on every device of the mesh."""
    return jax.device_put(tree, replicated(mesh))


def globalise(tree: Any, mesh: Mesh) -> Any:
    """Makes what every device holds whole one array over all processes, as a checkpoint needs it.

    pmap knows the devices of its own process only; what shard_map returns is left as it is.
    """
    if jax.process_count() == 1:
        return tree
    return multihost_utils.host_local_array_to_global_array(tree, mesh, P())


def shard_batch(batch: Any, mesh: Mesh, how: str) -> Any:
    """Spreads this process's share of a batch (numpy) over its devices, for pmap one part each."""
    if how == "pmap":
        local, sharding = mesh.local_mesh.size, sharded(mesh.local_mesh)
        parts = jax.tree.map(lambda x: x.reshape(local, -1, *x.shape[1:]), batch)
        return jax.device_put(parts, sharding)
    put = functools.partial(jax.make_array_from_process_local_data, sharded(mesh))
    return jax.tree.map(put, batch)


def fetch(tree: Any) -> Any:
    """Brings arrays per image to the host as numpy, from all processes, in global order."""
    if jax.process_count() > 1:
        return multihost_utils.process_allgather(tree, tiled=True)
    return jax.device_get(tree)
