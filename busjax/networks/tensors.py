"""Variables as one safetensors file: names and numbers, and nothing that could be run."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from busjax.errors import UserError

DTYPES = ("float32", "float16")


def to_bytes(variables: Any, dtype: str = "float32") -> bytes:
    """The tensors of nested dictionaries, by names such as 'params/encoder/level_0/...'.

    Args:
        variables: with arrays as leaves.
        dtype: of `DTYPES`, of the kernels. Biases, norms and their statistics, which are few and
            partly too small for float16, stay float32.
    """
    tensors = {name: _stored(np.asarray(x), dtype) for name, x in _flat(variables).items()}
    return save(tensors, metadata={"format": "busjax"})


def digest(variables: Any) -> str:
    """SHA-256 of the tensors as `to_bytes` writes them in float32: 64 hexadecimal digits."""
    return hashlib.sha256(to_bytes(variables)).hexdigest()


def from_bytes(content: bytes) -> Any:
    """The same back, as float32.

    Raises:
        UserError: it is no safetensors file.
    """
    try:
        tensors = load(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise UserError(f"no safetensors file: {error}") from error
    tree: dict[str, Any] = {}
    for name, value in tensors.items():
        *path, last = name.split("/")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[last] = np.asarray(value, np.float32)
    return tree


def _stored(value: np.ndarray, dtype: str) -> np.ndarray:
    return np.ascontiguousarray(value, dtype if value.ndim > 1 else "float32")


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        inner = isinstance(value, dict)
        flat |= _flat(value, f"{prefix}{name}/") if inner else {prefix + name: value}
    return flat
