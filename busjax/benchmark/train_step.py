"""Images a second of a train step, for networks that are timed in turns."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from busjax import compilation
from busjax.config import Config
from busjax.training.program import Program
from busjax.variants import load_variant


def asked_for(name: str, default: str, arguments: Sequence[str] | None) -> tuple[Config, int]:
    """The configuration and the rounds that a command line asks for.

    Args:
        name: of the module.
        default: file of the configuration where none is given.
        arguments: None: those of the process.

    Raises:
        UserError: there is no such file.
    """
    parser = argparse.ArgumentParser(prog=f"python -m busjax.benchmark.{name}")
    parser.add_argument("--config", type=Path, default=Path(default), help=f"[{default}]")
    parser.add_argument("--rounds", type=int, default=7, help="steps that are timed [7]")
    options = parser.parse_args(arguments)
    return load_variant(str(options.config)), max(options.rounds, 1)


def images_per_second(configs: Mapping[str, Config], rounds: int) -> dict[str, float]:
    """Of a train step of each configuration, by its name; the first step is not timed.

    Args:
        configs: by name; each is run on one device, on images and masks that are drawn.
        rounds: steps that are timed of each, in turns; their median counts.
    """
    compilation.keep()
    rng = np.random.default_rng(0)
    programs: dict[str, Program] = {}
    states: dict[str, Any] = {}
    batches: dict[str, Any] = {}
    seconds: dict[str, list[float]] = {}
    for name, config in configs.items():
        program = programs[name] = Program(config.but(parallel={"devices": 1}), 1000)
        batches[name] = {
            key: rng.integers(0, 2, shape.shape).astype(shape.dtype)
            for key, shape in program.abstract_batch(config.train.batch_size).items()
        }
        states[name], _ = program.train_step(program.init_state(), batches[name])
        seconds[name] = []
    for _ in range(rounds):
        for name, program in programs.items():
            start = time.perf_counter()
            states[name], losses = program.train_step(states[name], batches[name])
            float(losses["loss"])  # waits for the step
            seconds[name].append(time.perf_counter() - start)
    return {
        name: configs[name].train.batch_size / statistics.median(taken)
        for name, taken in seconds.items()
    }
