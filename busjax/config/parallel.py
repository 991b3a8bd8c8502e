"""Devices and processes."""

from __future__ import annotations

from typing import ClassVar

from busjax.config.rules import OneOf, Whole
from busjax.config.section import Section, setting


class Parallel(Section):
    PLACE: ClassVar[str] = "parallel."

    map: str = setting(
        OneOf(("shard_map", "pmap")),
        "how steps are mapped over the devices; shard_map: under jit",
        default="shard_map",
        free=True,
    )
    devices: int = setting(Whole(0), "devices to use; 0: all", default=0, free=True)
    autotune: int = setting(
        Whole(0, 4),
        "how hard XLA looks for the fastest convolutions of a GPU, which takes most of compiling "
        "there: 0 (not at all; they may be 100 times slower), 1 to 3, 4 (XLA's default: checks the "
        "results)",
        default=4,
        free=True,
    )
    timeout: int = setting(
        Whole(1, 86_400),
        "seconds that one of several processes waits for another",
        default=300,
        free=True,
    )
