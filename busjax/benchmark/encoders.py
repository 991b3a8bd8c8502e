"""The encoders side by side: parameters, arithmetic, and images a second of a train step.

    python -m busjax.benchmark.encoders --config=configs/unet.py

The network is that of the configuration, with each encoder in turn and weights that are drawn;
times are medians of rounds in turns.
"""

from __future__ import annotations

import functools
import os
import sys
from typing import Any

import jax
import jax.numpy as jnp

from busjax import compilation
from busjax.benchmark.train_step import asked_for, images_per_second
from busjax.config import Config, Model
from busjax.errors import UserError, tell
from busjax.models import architectures, prediction
from busjax.models.network import MultiTaskNet, count_parameters
from busjax.models.prediction import Ensemble

_SIDES = (128, 256)  # pixels of the images whose arithmetic is counted


def main(arguments: list[str] | None = None) -> int:
    """Prints the table and returns the exit code."""
    try:
        config, rounds = asked_for("encoders", "configs/unet.py", arguments)
    except UserError as error:
        return tell(error)
    encoders = {name: with_encoder(config, name) for name in architectures.ENCODERS}
    rates = images_per_second(encoders, rounds)
    print(f"{config.name}, {config.data.image_size} x {config.data.image_size}, batch "
          f"{config.train.batch_size}, {os.cpu_count()} cores, jax {jax.__version__}")  # fmt: skip
    print(f"{'encoder':20} {'parameters':>12} {'GFLOP 128':>10} {'256':>8} {'images/s':>9}")
    for name, rate in rates.items():
        model = encoders[name].model
        flops = [f"{gigaflops(model, side):8.2f}" for side in _SIDES]
        print(f"{name:20} {parameters(model):12,} {flops[0]:>10} {flops[1]} {rate:9.1f}")
    return 0


def with_encoder(config: Config, name: str) -> Config:
    """The configuration with another encoder."""
    return config.but(model={"encoder": name, "encoder_weights": ""})


def _shapes(model: Model, side: int) -> tuple[MultiTaskNet, Any, Any]:
    network = architectures.build(model)
    image = jax.ShapeDtypeStruct((1, side, side, model.image_channels), jnp.float32)
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    return network, jax.eval_shape(functools.partial(network.init, train=True), keys, image), image


def parameters(model: Model) -> int:
    """Trainable values of the whole network."""
    return count_parameters(_shapes(model, 64)[1]["params"])


def gigaflops(model: Model, side: int) -> float:
    """Operations of reading one image, in 10^9 (a multiplication and an addition are two)."""
    plain = model.but(ops="reference", dtype="float32")
    network, variables, image = _shapes(plain, side)
    predict = functools.partial(prediction.predict, network, refinement=model.refine)
    return compilation.flops(predict, Ensemble((variables,)), image) / 1e9


if __name__ == "__main__":
    from busjax.allocator import restart_tuned

    restart_tuned()
    sys.exit(main())
