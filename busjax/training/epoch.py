"""One epoch under way: what its steps found, as far as it has got."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from busjax.training.program import Program
from busjax.training.steps import TrainState


@dataclasses.dataclass
class Epoch:
    """The steps of an epoch that are done; JSON takes it as a dictionary.

    Attributes:
        found: what the train step gives, one dictionary a step.
        waits: seconds that each step waited for its batch.
        laps: seconds of each step, that wait included.
        images: of one batch, over all processes.
    """

    found: list[dict[str, float]] = dataclasses.field(default_factory=list)
    waits: list[float] = dataclasses.field(default_factory=list)
    laps: list[float] = dataclasses.field(default_factory=list)
    images: int = 0

    def __len__(self) -> int:
        return len(self.found)

    def take_step(
        self, program: Program, state: TrainState, batches: Iterator[dict[str, np.ndarray]]
    ) -> tuple[TrainState, np.ndarray]:
        """Trains on the next batch, which other threads make ahead, and waits for the step.

        Returns:
            The next state, and the positions of the batch's images in the training part.
        """
        start = time.monotonic()
        batch = next(batches)
        ready = time.monotonic()
        state, terms = program.train_step(state, batch)
        self.found.append({name: float(value) for name, value in jax.device_get(terms).items()})
        self.waits.append(ready - start)
        self.laps.append(time.monotonic() - start)
        self.images = len(batch["valid"]) * jax.process_count()
        return state, batch["index"]

    def summary(self) -> dict[str, Any]:
        """Seconds, images a second, share of waiting, skipped updates, means over the others."""
        taken = [row for row in self.found if row["finite"]]
        names = [name for name in self.found[0] if name != "finite"]
        return {
            "seconds": sum(self.laps),
            # The median leaves out the step that compiles.
            "images_per_second": self.images / float(np.median(self.laps)),
            "data_wait": sum(self.waits) / sum(self.laps),
            "skipped": len(self.found) - len(taken),
            "train": {
                name: float(np.mean([row[name] for row in taken])) if taken else math.nan
                for name in names
            },
        }
