"""The encoders side by side: parameters, arithmetic, and images a second of a train step.

    python -m busjax.benchmark.encoders --config=configs/unet.py

The network is that of the configuration, with each encoder in turn and weights that are drawn;
times are medians of rounds in turns.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from busjax.models import network as networks
from busjax.models import prediction
from busjax.models.prediction import Ensemble
from busjax.training.program import Program

_SIDES = (128, 256)  # pixels of the images whose arithmetic is counted


def main(arguments: list[str] | None = None) -> int:
    """Prints the table and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m busjax.benchmark.encoders")
    parser.add_argument("--config", type=Path, default=Path("configs/unet.py"))
    parser.add_argument("--rounds", type=int, default=7, help="steps that are timed [7]")
    options = parser.parse_args(arguments)
    if not options.config.is_file():
        print(f"busjax: --config={options.config} is no file", file=sys.stderr)
        return 1
    config = _loaded(options.config)
    rates = images_per_second(config, options.rounds)
    print(f"{config.name}, {config.data.image_size} x {config.data.image_size}, batch "
          f"{config.train.batch_size}, {os.cpu_count()} cores, jax {jax.__version__}")  # fmt: skip
    print(f"{'encoder':20} {'parameters':>12} {'GFLOP 128':>10} {'256':>8} {'images/s':>9}")
    for name, rate in rates.items():
        model = with_encoder(config, name).model
        flops = [f"{gigaflops(model, side):8.2f}" for side in _SIDES]
        print(f"{name:20} {parameters(model):12,} {flops[0]:>10} {flops[1]} {rate:9.1f}")
    return 0


def _loaded(path: Path) -> ConfigDict:
    spec = importlib.util.spec_from_file_location("benchmarked", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config()


def with_encoder(config: ConfigDict, name: str) -> ConfigDict:
    """The configuration with another encoder, on one device."""
    changed = config.copy_and_resolve_references()
    changed.model.update({"encoder": name, "encoder_weights": ""})
    changed.parallel.devices = 1
    return changed


def _shapes(model: ConfigDict, side: int) -> tuple[networks.MultiTaskNet, Any, Any]:
    network = networks.build(model)
    image = jax.ShapeDtypeStruct((1, side, side, model.image_channels), jnp.float32)
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    return network, jax.eval_shape(functools.partial(network.init, train=True), keys, image), image


def parameters(model: ConfigDict) -> int:
    """Trainable values of the whole network."""
    return networks.count_parameters(_shapes(model, 64)[1]["params"])


def gigaflops(model: ConfigDict, side: int) -> float:
    """Operations of reading one image, in 10^9 (a multiplication and an addition are two)."""
    plain = model.copy_and_resolve_references()
    plain.update({"ops": "reference", "dtype": "float32"})
    network, variables, image = _shapes(plain, side)
    predict = jax.jit(functools.partial(prediction.predict, network))
    cost = predict.lower(Ensemble((variables,)), image).cost_analysis() or {}
    return cost["flops"] / 1e9


def images_per_second(config: ConfigDict, rounds: int) -> dict[str, float]:
    """Of a train step with each encoder, by its name."""
    rng = np.random.default_rng(0)
    programs: dict[str, Program] = {}
    states: dict[str, Any] = {}
    batches: dict[str, Any] = {}
    seconds: dict[str, list[float]] = {}
    for name in networks.ENCODERS:
        program = programs[name] = Program(with_encoder(config, name), 1000)
        batches[name] = {
            key: rng.integers(0, 2, shape.shape).astype(shape.dtype)
            for key, shape in program.abstract_batch(config.train.batch_size).items()
        }
        states[name], _ = program.train_step(program.init_state(), batches[name])
        seconds[name] = []
    for _ in range(rounds):
        for name, program in programs.items():
            start = time.perf_counter()
            states[name], found = program.train_step(states[name], batches[name])
            float(found["loss"])  # waits for the step
            seconds[name].append(time.perf_counter() - start)
    return {name: config.train.batch_size / statistics.median(t) for name, t in seconds.items()}


if __name__ == "__main__":
    from busjax.allocator import restart_tuned

    restart_tuned()
    sys.exit(main())
