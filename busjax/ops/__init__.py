"""The operations floor under the models; `select` chooses the implementation."""

from __future__ import annotations

from typing import cast

from busjax.errors import UserError
from busjax.ops import reference
from busjax.ops.interface import Ops

_OPS = {"reference": reference}


def select(name: str) -> Ops:
    """Returns the implementation called 'reference', or the best for this machine for 'auto'."""
    if name == "auto":
        name = "reference"
    if name not in _OPS:
        raise UserError(f"config.model.ops={name!r} is unknown: choose 'auto' or one of {sorted(_OPS)}")
    return cast(Ops, _OPS[name])
