"""The history of a run: one JSON line an epoch, and the same as TensorBoard events."""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from etils import epath

from busjax import files
from busjax.errors import UserError
from busjax.files import PathLike

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter

FILE = "history.jsonl"
EVENTS = "tensorboard"


class History:
    """Writes what each epoch reached; epochs from `first_epoch` on are written anew.

    Args:
        workdir: folder of the run.
        first_epoch: that comes next.
        first_step: that was done before it.
        writes: whether this process writes; of several only one does.
    """

    def __init__(
        self, workdir: PathLike, first_epoch: int, first_step: int, writes: bool = True
    ) -> None:
        self._events: _Events | None = None
        if not writes:
            return
        self._path = epath.Path(workdir) / FILE
        self._rows = [row for row in read(workdir) if row["epoch"] < first_epoch]
        self._write()
        # purge_step hides the events of epochs that are trained again after a kill.
        self._events = _Events(workdir, first_step if self._rows else None)

    def close(self) -> None:
        """Ends the file of events."""
        if self._events is not None:
            self._events.close()

    def append(self, row: dict[str, Any]) -> None:
        """Adds an epoch: numbers by name, one level of nesting ('train', 'validation')."""
        if self._events is None:
            return
        self._rows.append(row)
        self._write()
        numbers: dict[str, float | None] = {}
        for name, value in row.items():
            values = value if isinstance(value, dict) else {name: value}
            prefix = f"{name}/" if isinstance(value, dict) else "run/"
            numbers |= {prefix + key: number for key, number in values.items()}
        self._events.append(numbers, row["step"])

    def _write(self) -> None:
        """The whole file each time: a bucket knows no appending, and a run has few epochs."""
        files.replace(self._path, "".join(map(_line, self._rows)).encode())


class _Events:
    """TensorBoard events; those of a bucket are written on this machine and copied there."""

    def __init__(self, workdir: PathLike, purge_step: int | None) -> None:
        self._target = epath.Path(workdir) / EVENTS
        self._local = tempfile.TemporaryDirectory() if files.is_remote(workdir) else None
        self._purge_step = purge_step
        self._writer: SummaryWriter | None = None

    def append(self, numbers: dict[str, float | None], step: int) -> None:
        if self._writer is None:  # not before: it imports half a second of what a start waits for
            folder = self._local.name if self._local else os.fspath(self._target)
            self._writer = _summary_writer(folder, self._purge_step)
        for name, number in numbers.items():
            if number is not None and math.isfinite(number):
                self._writer.add_scalar(name, number, step)
        self._writer.flush()
        self._copy()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._copy()
        if self._local:
            self._local.cleanup()

    def _copy(self) -> None:
        if self._local:
            self._target.mkdir(parents=True, exist_ok=True)
            for path in epath.Path(self._local.name).iterdir():
                (self._target / path.name).write_bytes(path.read_bytes())


def _summary_writer(folder: str, purge_step: int | None) -> SummaryWriter:
    # tensorboardX imports PyTorch where it is installed, which takes two seconds of every start.
    # None stands for a package that is missing.
    already = sys.modules.setdefault("torch", None)  # type: ignore[arg-type]
    try:
        from tensorboardX import SummaryWriter
    finally:
        if already is None:
            del sys.modules["torch"]
    return SummaryWriter(folder, purge_step=purge_step)


def read(workdir: PathLike) -> list[dict[str, Any]]:
    """The epochs of a run so far, in order; none without a history.jsonl.

    An epoch may be there twice after a resume: the last one counts. A last line that was cut short
    by a kill is left out.

    Raises:
        UserError: another line is broken.
    """
    path = epath.Path(workdir) / FILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    by_epoch: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            by_epoch[row["epoch"]] = row
        except (ValueError, TypeError, KeyError) as error:
            if number < len(lines):
                raise UserError(
                    f"{path} line {number}: not JSON of an epoch ({error}); mend or remove it"
                ) from error
    return [by_epoch[epoch] for epoch in sorted(by_epoch)]


def _line(row: dict[str, Any]) -> str:
    return json.dumps(_finite(row)) + "\n"


def _finite(value: Any) -> Any:
    """JSON knows no NaN: what is undefined becomes null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
