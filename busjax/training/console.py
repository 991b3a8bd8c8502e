"""What a person sees while a network trains: a bar on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

from tqdm import tqdm


class Console:
    """Progress of a run of `total_steps` steps from `first_step` on.

    On a terminal a bar with images a second, loss, validation Dice and accuracy and the time left;
    elsewhere (a log file, a scheduler) one line after the first step and one an epoch.
    """

    def __init__(self, epochs: int, total_steps: int, first_step: int, batch_size: int) -> None:
        self._epochs, self._batch_size = epochs, batch_size
        self._steps_left = total_steps - first_step
        self._first_step_done = False
        self._start = time.monotonic()
        self._seen = {"loss": "-", "val_dice": "-", "val_acc": "-"}
        self._bar = tqdm(
            total=total_steps * batch_size,
            initial=first_step * batch_size,
            unit="img",
            file=sys.stdout,
            disable=not sys.stdout.isatty(),
            delay=1e-9,  # shown from the first step on: before it, there is a compilation to show
            dynamic_ncols=True,
            smoothing=0.05,
        )

    def step(self, loss: float) -> None:
        """Counts a step."""
        if not self._first_step_done:
            self._first_step_done = True
            self._bar.unpause()  # the rate is that of the steps, not of the compilation
            seconds = time.monotonic() - self._start
            self.say(f"first step after {seconds:.0f} s (compilation included), loss {loss:.3f}")
        self._steps_left -= 1
        self._seen["loss"] = f"{loss:.3f}"
        self._bar.update(self._batch_size)
        self._bar.set_postfix(self._seen, refresh=False)

    def epoch(self, row: dict[str, Any]) -> None:
        """Reports an epoch; the fields of a line of history.jsonl."""
        dice, accuracy = row["validation"]["dice_average"], row["validation"]["accuracy"]
        self._seen |= {"val_dice": f"{dice:.3f}", "val_acc": f"{accuracy:.3f}"}
        self._bar.set_postfix(self._seen)
        if self._bar.disable:
            rate = row["images_per_second"]
            left = self._steps_left * self._batch_size / rate
            self.say(
                f"epoch {row['epoch']:3d}/{self._epochs}  loss {row['train']['loss']:.3f}  "
                f"validation: Dice {dice:.3f}, accuracy {accuracy:.3f}  "
                f"{rate:.1f} images/s, {_clock(left)} left"
            )

    def say(self, text: str) -> None:
        """Prints a line, above the bar where there is one."""
        if self._bar.disable:
            print(text, flush=True)
        else:
            self._bar.write(text)

    def close(self) -> None:
        """Ends the bar."""
        self._bar.close()


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
