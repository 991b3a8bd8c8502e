"""Files of tensors as torch.save wrote them before its version 1.6, read without torch.

Such a file is a pickle, which may name any function to call. Here only ordered dictionaries,
tensors and their storages are known; whatever else it names is refused.
"""

from __future__ import annotations

import collections
import os
import pickle
from collections.abc import Callable
from typing import IO, Any

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}
_BROKEN = (pickle.UnpicklingError, EOFError, AttributeError, KeyError, TypeError, IndexError)

Tensors = dict[str, np.ndarray]


def read(path: str | os.PathLike[str]) -> Tensors:
    """Reads a file with a dictionary of tensors.

    Raises:
        ValueError: it is no such file, it is cut short, or it holds something else than tensors.
    """
    with open(path, "rb") as file:
        try:
            return _read(file)
        except _BROKEN as error:
            raise ValueError(f"no file of tensors ({error})") from error


def _read(file: IO[bytes]) -> Tensors:
    storages: dict[str, _Storage] = {}
    if _Unpickler(file, storages).load() != _MAGIC:
        raise ValueError("no file of torch.save")
    for _ in range(2):  # version of the format, sizes of numbers
        _Unpickler(file, storages).load()
    tensors = _Unpickler(file, storages).load()
    for key in _Unpickler(file, storages).load():
        storages[key].fill(file)
    if not isinstance(tensors, dict) or not all(isinstance(t, _Tensor) for t in tensors.values()):
        raise ValueError("it holds something else than a dictionary of tensors")
    return {name: tensor.array() for name, tensor in tensors.items()}


class _Storage:
    """Numbers in a row; they stand in the file after all pickles."""

    def __init__(self, dtype: str, count: int) -> None:
        self.dtype, self.count = np.dtype(dtype), count
        self.values = np.empty(0, self.dtype)

    def fill(self, file: IO[bytes]) -> None:
        count = int.from_bytes(file.read(8), "little", signed=True)
        content = file.read(self.dtype.itemsize * self.count)
        if count != self.count or len(content) != self.dtype.itemsize * count:
            raise ValueError("the file is cut short")
        self.values = np.frombuffer(content, self.dtype)


class _Tensor:
    """A view of a storage."""

    def __init__(
        self,
        storage: _Storage,
        offset: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        *_: Any,
    ) -> None:
        self._storage, self._offset, self._shape, self._strides = storage, offset, shape, strides

    def array(self) -> np.ndarray:
        reach = sum((n - 1) * step for n, step in zip(self._shape, self._strides, strict=True))
        values = self._storage.values
        if min((self._offset, *self._strides, *self._shape), default=0) < 0 or (
            self._offset + reach >= len(values)
        ):
            raise ValueError("a tensor reaches beyond its numbers")
        steps = [step * values.itemsize for step in self._strides]
        view = np.lib.stride_tricks.as_strided(values[self._offset :], self._shape, steps)
        return np.array(view)


class _Unpickler(pickle.Unpickler):
    """Knows tensors, their storages and ordered dictionaries, and nothing else."""

    def __init__(self, file: IO[bytes], storages: dict[str, _Storage]) -> None:
        super().__init__(file)
        self._storages = storages

    def find_class(self, module: str, name: str) -> Callable[..., Any] | str:  # type: ignore[override]
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in _DTYPES:
            return name
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is not admitted")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, name, key, _, count, view = pid
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError("an unknown kind of storage")
        return self._storages.setdefault(key, _Storage(_DTYPES[name], int(count)))
