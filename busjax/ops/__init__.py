"""The operations floor under the models; `select` chooses the implementation."""

from __future__ import annotations

from typing import cast

import jax

from busjax.errors import UserError
from busjax.ops import cpu, reference
from busjax.ops.interface import Ops

_OPS = {"reference": reference, "cpu": cpu}


def select(name: str) -> Ops:
    """Returns the implementation called 'reference' or 'cpu', or the backend's best for 'auto'.

    Raises UserError for another name.
    """
    if name == "auto":
        name = "cpu" if jax.default_backend() == "cpu" else "reference"
    if name not in _OPS:
        raise UserError(
            f"config.model.ops={name!r} is unknown: choose 'auto' or one of {sorted(_OPS)}"
        )
    return cast(Ops, _OPS[name])
