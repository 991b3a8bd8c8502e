"""Files of torch.save as it once was, written here without torch; and hostile ones."""

import collections
import io
import os
import pickle
import sys
import types

import numpy as np
import pytest

from busjax.models.weights import torch_file

STORAGES = {np.dtype("<f4"): "FloatStorage", np.dtype("<i8"): "LongStorage"}


class _Pickler(pickle.Pickler):
    """Writes arrays as torch writes tensors."""

    def __init__(self, file, storages):
        super().__init__(file, 2)
        self._storages = storages

    def persistent_id(self, found):
        if isinstance(found, tuple) and found[:1] == ("storage",):
            return found
        return None

    def reducer_override(self, found):
        if not isinstance(found, np.ndarray):
            return NotImplemented
        key = str(len(self._storages))
        values = found.base if found.base is not None else found  # a view shares its numbers
        self._storages[key] = values.ravel(order="K")
        kind = getattr(sys.modules["torch"], STORAGES[found.dtype])
        storage = ("storage", kind, key, "cpu", values.size, None)
        steps = tuple(step // found.itemsize for step in found.strides)
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, (storage, 0, found.shape, steps, False, collections.OrderedDict())


@pytest.fixture(autouse=True)
def fake_torch(monkeypatch):
    """Modules of torch's names, so that the pickles name what torch's do."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2():
        raise AssertionError("never called")

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def write(path, content, magic=torch_file._MAGIC):
    storages = {}
    with open(path, "wb") as file:
        for head in (magic, 1001, {"little_endian": True}):
            pickle.dump(head, file, 2)
        _Pickler(file, storages).dump(content)
        pickle.dump(list(storages), file, 2)
        for values in storages.values():
            file.write(values.size.to_bytes(8, "little"))
            file.write(values.tobytes())
    return path


def test_tensors_come_back(tmp_path):
    wide = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    tensors = collections.OrderedDict(
        a=wide, b=np.array([7, 8], np.int64), c=np.array(3, np.float32),
        last=np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    )  # fmt: skip
    found = torch_file.read(write(tmp_path / "a.pth", tensors))
    assert list(found) == list(tensors)
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        np.testing.assert_array_equal(found[name], tensor)


class Hostile:
    """Unpickled in the ordinary way, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("place", ["head", "tensors"])
def test_a_hostile_pickle_is_refused_and_does_nothing(tmp_path, place):
    hostile = Hostile(tmp_path / "made")
    if place == "head":
        path = tmp_path / "a.pth"
        path.write_bytes(pickle.dumps(hostile, 2))
    else:
        path = write(tmp_path / "a.pth", {"a": hostile})
    with pytest.raises(ValueError, match=r"it names (posix|nt)\.mkdir, which is not admitted"):
        torch_file.read(path)
    assert not (tmp_path / "made").exists()
    pickle.load(io.BytesIO(pickle.dumps(hostile, 2)))  # it would have done it
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize("content", [["a list"], {"a": 3}, {"a": "text"}])
def test_something_else_than_tensors(tmp_path, content):
    with pytest.raises(ValueError, match="something else than a dictionary of tensors"):
        torch_file.read(write(tmp_path / "a.pth", content))


def test_no_such_file(tmp_path):
    path = tmp_path / "a.pth"
    for content in (b"", b"PK\x03\x04 a zip", b"text"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="no file of"):
            torch_file.read(path)
    with pytest.raises(ValueError, match="no file of torch"):
        torch_file.read(write(path, {}, magic=3))


def test_a_file_that_is_cut_short(tmp_path):
    path = write(tmp_path / "a.pth", {"a": np.ones(100, np.float32)})
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ValueError, match="cut short"):
        torch_file.read(path)


def test_a_tensor_beyond_its_numbers():
    storage = torch_file._Storage("<f4", 4)
    storage.values = np.zeros(4, np.float32)
    assert torch_file._Tensor(storage, 0, (4,), (1,)).array().shape == (4,)
    for offset, shape, strides in ((1, (4,), (1,)), (0, (4,), (2,)), (-1, (2,), (1,)),
                                   (3, (2,), (-1,))):  # fmt: skip
        with pytest.raises(ValueError, match="beyond its numbers"):
            torch_file._Tensor(storage, offset, shape, strides).array()
