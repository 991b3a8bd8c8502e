"""The training loop: epochs of steps, each followed by validation and a checkpoint."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from etils import epath
from ml_collections import ConfigDict

from busjax.data import pipeline
from busjax.data.records import RecordSource
from busjax.data.splits import Split
from busjax.errors import UserError
from busjax.metrics.segmentation import PixelCounts
from busjax.metrics.summary import summarise
from busjax.models.prediction import Ensemble
from busjax.training import parallel
from busjax.training.checkpoint import CONFIG, Checkpoints
from busjax.training.console import Console
from busjax.training.history import History
from busjax.training.program import Program
from busjax.training.steps import TrainState
from configs.fields import flatten


def train(config: ConfigDict, workdir: epath.Path, source: RecordSource, split: Split) -> None:
    """Trains, or goes on where an earlier run in the same folder was cut off.

    Leaves history.jsonl, TensorBoard events and the checkpoints (latest and best) in `workdir`.

    Raises:
        UserError: the configuration, the data and the machine do not fit each other.
    """
    steps_per_epoch = pipeline.steps_per_epoch(
        source, split.train, config.data, config.train.batch_size
    )
    total_steps = steps_per_epoch * config.train.epochs
    program = Program(config, total_steps)
    batches = pipeline.train_batches(source, split.train, config, parallel.share())
    with contextlib.ExitStack() as stack:
        stack.callback(batches.close)
        checkpoints = Checkpoints(workdir)
        stack.callback(checkpoints.close)
        state, done = _start(config, program, checkpoints, batches)
        history = History(workdir, done + 1, done * steps_per_epoch)
        stack.callback(history.close)
        console = Console(
            config.train.epochs, total_steps, done * steps_per_epoch, config.train.batch_size
        )
        stack.callback(console.close)
        validate = _validator(config, program, source, split)
        for epoch in range(done + 1, config.train.epochs + 1):
            state, found = _run_epoch(program, state, batches, steps_per_epoch, console)
            validation = validate(state)
            row = {
                "epoch": epoch,
                "step": epoch * steps_per_epoch,
                "learning_rate": float(program.schedule(epoch * steps_per_epoch - 1)),
                **found,
                "validation": validation,
            }
            history.append(row)
            console.epoch(row)
            if epoch % config.train.checkpoint_epochs == 0 or epoch == config.train.epochs:
                data = {
                    "epoch": epoch,
                    "iterator": batches.get_state(),
                    CONFIG: flatten(config.to_dict()),
                }
                score = monitored(validation, config.train.monitor)
                checkpoints.save(row["step"], program.saved(state), data, score)


def monitored(scores: dict[str, float], monitor: str) -> float:
    """The sum of the scores that `monitor` names, joined by '+'; higher is better."""
    return sum(scores[name] for name in monitor.split("+"))


def _start(
    config: ConfigDict, program: Program, checkpoints: Checkpoints, batches: Any
) -> tuple[TrainState, int]:
    """The state and the number of epochs that are done, from the latest checkpoint if any."""
    step = checkpoints.latest_step()
    if step is None:
        return program.init_state(), 0
    state, data = checkpoints.restore(step, program.abstract_state(), config)
    batches.set_state(data["iterator"])
    print(f"going on after epoch {data['epoch']} (step {step})", flush=True)
    return state, data["epoch"]


def _run_epoch(
    program: Program,
    state: TrainState,
    batches: Iterator[dict[str, np.ndarray]],
    steps: int,
    console: Console,
) -> tuple[TrainState, dict[str, Any]]:
    scalars, waits, laps = [], [], []
    for _ in range(steps):
        start = time.monotonic()
        batch = next(batches)
        ready = time.monotonic()
        state, found = program.train_step(state, batch)
        # Reading the loss waits for the step; the batches are made ahead by other threads.
        console.step(float(found["loss"]))
        scalars.append(found)
        waits.append(ready - start)
        laps.append(time.monotonic() - start)
    scalars = jax.device_get(scalars)
    return state, {
        "seconds": sum(laps),
        # The median leaves out the step that compiles.
        "images_per_second": len(batch["valid"]) * jax.process_count() / float(np.median(laps)),
        "data_wait": sum(waits) / sum(laps),
        "train": {name: float(np.mean([row[name] for row in scalars])) for name in scalars[0]},
    }


def _validator(config: ConfigDict, program: Program, source: RecordSource, split: Split) -> Any:
    """A function from a state to its validation scores, by name."""
    resized = pipeline.Resized(source, split.validation, config.data.image_size)
    batches = pipeline.eval_batches(resized, config, parallel.share())

    def validate(state: TrainState) -> dict[str, float]:
        found = program.evaluate(Ensemble((state.evaluated,)), batches)
        if not np.isfinite(found["classes"]).all():
            raise UserError(
                "the network's outputs are not finite: training has diverged; lower "
                "config.optim.learning_rate, or set config.model.dtype=float32, in a new --workdir"
            )
        counts = PixelCounts(*(found[name] for name in PixelCounts._fields))
        scores = summarise(resized.labels, found["classes"], counts)
        return {"loss": float(found["loss"].mean()), **scores}

    return validate
