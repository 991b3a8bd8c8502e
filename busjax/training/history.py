"""The history of a run: one JSON line an epoch, and the same as TensorBoard events."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter

from busjax.training import processes

FILE = "history.jsonl"
EVENTS = "tensorboard"


class History:
    """Writes what each epoch reached; epochs from `first_epoch` on are written anew.

    Of several processes only the first writes.
    """

    def __init__(self, workdir: Path, first_epoch: int, first_step: int) -> None:
        self._events: SummaryWriter | None = None
        if not processes.is_first():
            return
        self._path = Path(workdir) / FILE
        kept = [row for row in read(workdir) if row["epoch"] < first_epoch]
        self._path.write_text("".join(_line(row) for row in kept), encoding="utf-8")
        # purge_step hides the events of epochs that are trained again after a kill.
        self._events = SummaryWriter(
            str(Path(workdir) / EVENTS), purge_step=first_step if kept else None
        )

    def close(self) -> None:
        """Ends the file of events."""
        if self._events is not None:
            self._events.close()

    def append(self, row: dict[str, Any]) -> None:
        """Adds an epoch: numbers by name, one level of nesting ('train', 'validation')."""
        if self._events is None:
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line(row))
        for name, value in row.items():
            values = value if isinstance(value, dict) else {name: value}
            prefix = f"{name}/" if isinstance(value, dict) else "run/"
            for key, number in values.items():
                if number is not None and math.isfinite(number):
                    self._events.add_scalar(prefix + key, number, row["step"])
        self._events.flush()


def read(workdir: Path) -> list[dict[str, Any]]:
    """The epochs of a run so far; a last line that was cut short by a kill is left out."""
    path = Path(workdir) / FILE
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def _line(row: dict[str, Any]) -> str:
    return json.dumps(_finite(row)) + "\n"


def _finite(value: Any) -> Any:
    """JSON knows no NaN: what is undefined becomes null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
