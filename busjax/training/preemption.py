"""SIGTERM, noted while a network trains, so that the run can save and end by itself."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from jax.experimental import multihost_utils

from busjax import processes


class Watch:
    """While it is open, SIGTERM changes nothing but what `told` says.

    Of several processes, SIGTERM to any is told in all of them, after one and the same step.
    """

    def __init__(self) -> None:
        self._noted = False
        self._before = None
        # JAX listens by itself where there are several; only the main thread hears signals.
        if processes.alone() and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._noted = True

    def told(self, step: int) -> bool:
        """Whether to end after this step; all processes ask after every step, in their order."""
        if not processes.alone() and multihost_utils.reached_preemption_sync_point(step):
            self._noted = True
        return self._noted

    def close(self) -> None:
        """SIGTERM does again what it did before."""
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
