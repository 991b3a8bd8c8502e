"""A run that is started again and again, and ended by a real signal each time but the last.

    python tests/training/interrupted.py FOLDER SEED SIGNAL...

SECOND+SIGNAL: before the signal another run is started in the same folder.

Every start is a process of its own, forked before JAX has touched a device, so that a start costs
a second and not six. A signal comes at a random moment after the first step. The exit codes are
printed, one a line; the program itself fails where the last start does.
"""

import os
import random
import select
import signal
import sys
import time
from pathlib import Path

# All that a run needs is imported once, here, what it imports when it needs it as well.
import sklearn.metrics  # noqa: F401
import tensorboardX  # noqa: F401

from busjax import main, run  # noqa: F401
from busjax.evaluation.report import run_page  # noqa: F401

FLAGS = [
    "--config=configs/unet.py",
    *(f"--config.model.{field}" for field in ("width=4", "depth=1", "ops=reference")),
    *("--config.model.dtype=float32", "--config.model.classifier_hidden=8"),
    *(f"--config.data.{field}" for field in ("source=phantom", "phantom_count=40")),
    *("--config.data.image_size=16", "--config.data.test_fraction=0.25"),
    *(f"--config.train.{field}" for field in ("batch_size=4", "eval_batch_size=8", "epochs=8")),
]


def start(folder: str) -> tuple[int, int]:
    """Forks a process that trains; returns its number, and what it prints."""
    out, into = os.pipe()
    child = os.fork()
    if child:
        os.close(into)
        return child, out
    os.dup2(into, 1)
    sys.stdout = os.fdopen(1, "w", buffering=1)
    code = 1
    try:
        main.main([*FLAGS, f"--workdir={folder}"])
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def finish(child: int, out: int, folder: str, event: str | None, delay: float) -> int:
    """Lets it happen so long after the first step, waits, and returns the exit code."""
    moment, text = None, b""
    while chunk := _read(out, moment):
        text += chunk if chunk != b"\0" else b""
        if moment is None and b"first step" in text:
            moment = time.monotonic() + delay
        if event is not None and moment is not None and time.monotonic() >= moment:
            if event.startswith("SECOND"):
                print(finish(*start(folder), folder, None, 0.0), flush=True)
            os.kill(child, getattr(signal, event.removeprefix("SECOND+")))
            event = None
    os.close(out)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _read(out: int, moment: float | None) -> bytes:
    """What has been printed; a zero byte: nothing yet."""
    wait = 1.0 if moment is None else max(0.001, min(1.0, moment - time.monotonic()))
    return os.read(out, 4096) if select.select([out], [], [], wait)[0] else b"\0"


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent.parent)
    folder, seed, *names = sys.argv[1:]
    moments = random.Random(int(seed))
    for name in [*names, None]:
        code = finish(*start(folder), folder, name, moments.uniform(0.0, 0.8))
        print(code, flush=True)
    sys.exit(code)
