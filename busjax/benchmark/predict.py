"""How long a trained network takes for an image, and beside it ONNX Runtime on the exported file.

    python -m busjax.benchmark.predict --workdir=RUN

Times are medians; what is compared is timed in turns. ONNX Runtime is left out where it is not
installed or RUN/export/model.onnx is missing.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable

import jax
import numpy as np
from absl import logging
from etils import epath

from busjax import files
from busjax.errors import UserError
from busjax.inference.export import convert
from busjax.inference.predictor import Predictor, load

Call = tuple[int, Callable[[], object]]
"""How many images a call reads, and the call."""

Timing = tuple[int, list[float]]
"""How many images a call reads, and the seconds of each time."""

_BATCH = 16
_SIDE = 500  # pixels of the images that are read, about those of BUSI


def main(arguments: list[str] | None = None) -> int:
    """Prints the table and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m busjax.benchmark.predict")
    parser.add_argument("--workdir", required=True, help="folder of the run, e.g. runs/unetpp")
    parser.add_argument("--rounds", type=int, default=15, help="times each is timed [15]")
    options = parser.parse_args(arguments)
    logging.set_verbosity(logging.ERROR)
    try:
        workdir = files.locate(options.workdir)
        predictor = load(workdir)
        lines = table(measure(calls(predictor, workdir), max(options.rounds, 1)))
    except UserError as error:
        print(f"busjax: {error}", file=sys.stderr)
        return 1
    device = jax.local_devices()[0]
    print(
        f"{predictor.config.name}, {predictor.image_size} x {predictor.image_size}, on 1 x "
        f"{device.device_kind} ({os.cpu_count()} cores), jax {jax.__version__}"
    )
    print("\n".join(lines))
    return 0


def calls(predictor: Predictor, workdir: epath.Path) -> dict[str, Call]:
    """What is timed, by its name: how many images, and the call.

    'reading' goes from an array of 500 x 500 pixels to mask, boxes and classes; 'network' from
    resized images to probabilities on the host.
    """
    rng = np.random.default_rng(0)
    raw = list(rng.integers(0, 256, (_BATCH, _SIDE, _SIDE), np.uint8))
    side, channels = predictor.image_size, predictor.config.model.image_channels
    grey = rng.random((_BATCH, side, side, 1), np.float32)
    images = np.repeat(grey, channels, axis=-1)

    def network(count: int) -> Callable[[], object]:
        return lambda: jax.device_get(predictor.compute(predictor.ensemble, images[:count]))

    timed: dict[str, Call] = {
        "reading, 1 image": (1, lambda: predictor(raw[0])),
        f"reading, {_BATCH} images": (_BATCH, lambda: predictor(raw)),
        "network, 1 image": (1, network(1)),
        f"network, {_BATCH} images": (_BATCH, network(_BATCH)),
    }
    path = workdir / convert.FOLDER / "model.onnx"
    if importlib.util.find_spec("onnxruntime") and path.exists():
        session = convert.run_onnx(path.read_bytes())
        for count in (1, _BATCH):
            name = f"ONNX Runtime, {count} image{'s' if count > 1 else ''}"
            timed[name] = (count, lambda count=count: session(grey[:count]))  # type: ignore[misc]
    return timed


def measure(calls: dict[str, Call], rounds: int) -> dict[str, Timing]:
    """Times each call, in turns; the first of each, which compiles, does not count."""
    for _, call in calls.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, (_, call) in calls.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: (count, seconds[name]) for name, (count, _) in calls.items()}


def table(timings: dict[str, Timing]) -> list[str]:
    """A line each: median and spread of a call, and images a second."""
    lines = [f"{'':24} {'median':>10} {'fastest':>10} {'slowest':>10} {'images/s':>10}"]
    for name, (count, seconds) in timings.items():
        median = statistics.median(seconds)
        cells = (f"{1e3 * value:7.1f} ms" for value in (median, min(seconds), max(seconds)))
        lines.append(f"{name:24} {' '.join(cells)} {count / median:10.1f}")
    return lines


if __name__ == "__main__":
    from busjax.allocator import restart_tuned

    restart_tuned()
    sys.exit(main())
