"""The training loop: epochs of steps, each followed by validation and a checkpoint."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import numpy as np
from etils import epath

from busjax import processes
from busjax.config import Config
from busjax.data import pipeline
from busjax.data.records import RecordSource
from busjax.data.resized import Resized
from busjax.data.splits import Split
from busjax.errors import Preempted, UserError
from busjax.metrics.segmentation import PixelCounts
from busjax.metrics.summary import summarise
from busjax.models.prediction import Ensemble
from busjax.runs.checkpoint import CONFIG, Checkpoints
from busjax.runs.history import History
from busjax.training import initialization, parallel
from busjax.training.console import Console
from busjax.training.epoch import Epoch
from busjax.training.monitor import monitored
from busjax.training.preemption import Watch
from busjax.training.program import Program
from busjax.training.steps import TrainState


def train(config: Config, workdir: epath.Path, source: RecordSource, split: Split) -> None:
    """Trains, or goes on where an earlier run in the same folder was cut off.

    Leaves history.jsonl, TensorBoard events and the checkpoints (latest and best) in `workdir`.

    Raises:
        UserError: the configuration, the data and the machine do not fit each other.
        Preempted: SIGTERM came; the step that was under way is done and saved.
    """
    with contextlib.ExitStack() as stack:
        training = _Training(config, workdir, source, split, stack)
        while training.done < config.train.epochs:
            training.step()


class _Training:
    """A run under way.

    Attributes:
        done: epochs that are done.
        epoch: what is done of the next one.
    """

    def __init__(
        self,
        config: Config,
        workdir: epath.Path,
        source: RecordSource,
        split: Split,
        stack: contextlib.ExitStack,
    ) -> None:
        self._config, self._split = config, split
        self._not_finite = 0  # updates in a row that were skipped
        batch_size, epochs = config.train.batch_size, config.train.epochs
        self._steps = pipeline.steps_per_epoch(source, split.train, config.data, batch_size)
        self._program = Program(config, self._steps * epochs)
        self._batches = pipeline.train_batches(
            source, split.train, config, parallel.process_shard()
        )
        stack.callback(self._batches.close)
        self._checkpoints = Checkpoints(workdir)
        stack.callback(self._checkpoints.close)
        self._state, self.done, self.epoch = self._start()
        if self.done < epochs:
            # Not before: two threads of Python would wait for each other.
            self._program.compile_ahead()
        step = self._step()
        self._history = History(workdir, self.done + 1, step, processes.is_first())
        stack.callback(self._history.close)
        self._console = Console(epochs, self._steps * epochs, step, batch_size)
        stack.callback(self._console.close)
        self._validate = _validator(config, self._program, source, split)
        self._watch = Watch()
        stack.callback(self._watch.close)

    def _start(self) -> tuple[TrainState, int, Epoch]:
        """From the latest checkpoint, if any."""
        step = self._checkpoints.latest_step()
        if step is None:
            return initialization.start(self._program, self._config), 0, Epoch()
        target = self._program.abstract_state()
        state, data = self._checkpoints.restore(step, target, self._config)
        self._batches.set_state(data["iterator"])
        epoch = Epoch(**data.get("steps", {}))
        within = f" and {len(epoch)} steps of the next" if len(epoch) else ""
        print(f"going on after epoch {data['epoch']}{within} (step {step})", flush=True)
        return state, data["epoch"], epoch

    def _step(self) -> int:
        return self.done * self._steps + len(self.epoch)

    def step(self) -> None:
        """Takes a step, and what is due after it: validation, a checkpoint, the end."""
        self._state, images = self.epoch.take_step(self._program, self._state, self._batches)
        terms = self.epoch.found[-1]
        self._console.step(terms["loss"])
        step, score = self._step(), None
        self._not_finite = 0 if terms["finite"] else self._not_finite + 1
        if self._not_finite:
            self._skip(step, images)
        if len(self.epoch) == self._steps:
            score = self._end_epoch(step)
        asked_to_stop = self._watch.told(step)
        if asked_to_stop or score is not None:
            self._save(step, score)
        if asked_to_stop:
            raise Preempted

    def _skip(self, step: int, images: np.ndarray) -> None:
        """Tells of an update that was not taken.

        Raises:
            UserError: it is one more in a row than may be.
        """
        allowed = self._config.train.skip_nonfinite
        what = f"the loss or its gradient is not finite at step {step}"
        if self._not_finite <= allowed:
            said = f"{what}: update skipped ({self._not_finite} of at most {allowed} in a row)"
            self._console.say(said)
            return
        ids = ", ".join(self._split.train[index] for index in images)
        saved = self._checkpoints.latest_step()
        raise UserError(
            f"{what}; images of the batch: {ids}; last checkpoint: "
            f"{'none' if saved is None else f'step {saved}'}. Look at these images; lower "
            "config.optim.learning_rate in a new --workdir; or go on with "
            "config.model.dtype=float32, or with config.train.skip_nonfinite=N, which leaves out "
            "up to N such updates in a row"
        )

    def _end_epoch(self, step: int) -> float | None:
        """Validates; returns the score of the checkpoint that is due, None where none is."""
        row = {
            "epoch": self.done + 1,
            "step": step,
            "learning_rate": self._program.learning_rate(step - 1),
            **self.epoch.summary(),
            "validation": self._validate(self._state),
        }
        self._history.append(row)
        self._console.epoch(row)
        self.done, self.epoch = self.done + 1, Epoch()
        options = self._config.train
        is_due = self.done % options.checkpoint_epochs == 0 or self.done == options.epochs
        return monitored(row["validation"], options.monitor) if is_due else None

    def _save(self, step: int, score: float | None) -> None:
        data = {
            "epoch": self.done,
            "steps": dataclasses.asdict(self.epoch),
            "iterator": self._batches.get_state(),
            CONFIG: self._config.flat(),
        }
        state, evaluated = self._program.saved(self._state), self._program.evaluated(self._state)
        self._checkpoints.save(step, state, evaluated, data, score)


def _validator(config: Config, program: Program, source: RecordSource, split: Split) -> Any:
    """A function from a state to its validation scores, by name."""
    resized = Resized(source, split.validation, config.data.image_size, config.data.fit)
    batches = pipeline.eval_batches(resized, config, parallel.process_shard())

    def validate(state: TrainState) -> dict[str, float]:
        outputs = program.evaluate(Ensemble((program.evaluated(state),)), batches)
        if not np.isfinite(outputs["classes"]).all():
            raise UserError(
                "the network's outputs are not finite: training has diverged; lower "
                "config.optim.learning_rate, or set config.model.dtype=float32, in a new --workdir"
            )
        counts = PixelCounts(*(outputs[name] for name in PixelCounts._fields))
        scores = summarise(resized.labels, outputs["classes"], counts)
        return {"loss": float(outputs["loss"].mean()), **scores}

    return validate
