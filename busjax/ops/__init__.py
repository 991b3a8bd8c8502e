"""The operations floor under the models; `select` chooses the implementation."""

from __future__ import annotations

from typing import cast

import jax

from busjax.ops import cpu, portable, reference
from busjax.ops.interface import Ops

OPS = {"reference": reference, "cpu": cpu, "portable": portable}


def chosen(name: str) -> str:
    """The key of `OPS` that a name stands for; 'auto': the backend's best."""
    if name == "auto":
        return "cpu" if jax.default_backend() == "cpu" else "reference"
    return name


def select(name: str) -> Ops:
    """Returns the implementation of that name, or the backend's best for 'auto'."""
    return cast(Ops, OPS[chosen(name)])
