"""Warnings of libraries that are no news to the user."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from absl import logging


@contextlib.contextmanager
def without_warnings() -> Iterator[None]:
    """Lets the libraries that log through absl tell errors only, within the block."""
    level = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(level)
