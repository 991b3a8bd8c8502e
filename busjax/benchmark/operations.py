"""The operations under the models side by side, on this machine: images a second of a train step.

    python -m busjax.benchmark.operations --config=configs/unetpp.py

One network, with each implementation of `busjax/ops` and each dtype of the activations in turn;
times are medians of rounds in turns. The one that 'auto' takes here is marked.
"""

from __future__ import annotations

import os
import sys

import jax

from busjax import ops
from busjax.benchmark.train_step import asked_for, images_per_second
from busjax.config import Config
from busjax.errors import UserError, tell
from busjax.models.architectures import activation_dtype

NAMES = ("cpu", "reference")
DTYPES = ("float32", "bfloat16")


def main(arguments: list[str] | None = None) -> int:
    """Prints the table and returns the exit code."""
    try:
        config, rounds = asked_for("operations", "configs/unetpp.py", arguments)
    except UserError as error:
        return tell(error)
    rates = images_per_second(choices(config), rounds)
    device = jax.local_devices()[0]
    print(f"{config.name}, {config.data.image_size} x {config.data.image_size}, batch "
          f"{config.train.batch_size}, on 1 x {device.device_kind} ({os.cpu_count()} cores), "
          f"jax {jax.__version__}")  # fmt: skip
    print(f"{'model.ops':12} {'model.dtype':12} {'images/s':>9}")
    chosen = automatic()
    for name, rate in rates.items():
        print(f"{name:25} {rate:9.1f}{'  auto' if name == chosen else ''}")
    return 0


def choices(config: Config) -> dict[str, Config]:
    """The configuration with all operations and dtypes, by their names."""
    return {
        _title(name, dtype): config.but(model={"ops": name, "dtype": dtype})
        for name in NAMES
        for dtype in DTYPES
    }


def automatic() -> str:
    """The name of the choice that 'auto' makes on this machine."""
    return _title(ops.chosen("auto"), activation_dtype("auto").name)


def _title(name: str, dtype: str) -> str:
    return f"{name:12} {dtype:12}"


if __name__ == "__main__":
    from busjax.allocator import restart_tuned

    restart_tuned()
    sys.exit(main())
