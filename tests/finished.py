"""What a run leaves, for comparing it with another one."""

import json
from contextlib import closing

from busjax.runs.checkpoint import Checkpoints
from busjax.training.program import Program


def final_state(config, folder):
    """The latest step, and what is restored of it: the state and the data position."""
    with closing(Checkpoints(folder, read_only=True)) as checkpoints:
        step = checkpoints.latest_step()
        return step, checkpoints.restore(step, Program(config, 1).abstract_state())


def untimed_history(folder):
    """The rows of history.jsonl without what the clock says."""
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    timed = ("seconds", "images_per_second", "data_wait")
    return [{key: value for key, value in row.items() if key not in timed} for row in rows]
