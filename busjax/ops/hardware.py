"""What the machine does well, for the choices that are left to 'auto'."""

from __future__ import annotations

import functools

import jax

from busjax import processor

BFLOAT16_UNITS = frozenset({"avx512_bf16", "amx_bf16"})
"""Flags of CPUs that multiply bfloat16 themselves."""


@functools.cache
def has_fast_bfloat16() -> bool:
    """Whether bfloat16 products run in hardware: on TPUs, GPUs, and CPUs with their own units.

    On a CPU without such units XLA widens bfloat16 to float32 and back, which costs what it saves:
    a U-Net's step takes as long, that of a thin U-Net++ a fifth less (docs/performance.md).
    """
    if jax.default_backend() != "cpu":
        return True
    # Empty where the system is not Linux: there is no cheap way to ask.
    return bool(BFLOAT16_UNITS & processor.flags())
