"""The folder of what can be made again, and the programs in it."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from busjax import cache
from busjax.data.readers.phantom import PhantomSource, kept

COMPILE = """
import jax
from busjax import compilation
compilation._LEAST_SECONDS = 0
compilation.keep()
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.append(name))
assert jax.jit(lambda x: x * 3 + 1)(2.0) == 7
print(sum(name.endswith("/cache_hits") for name in hits), jax.config.jax_compilation_cache_dir)
"""


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    """What a process remembers of the folder is of this test alone."""
    cache.folder.cache_clear()
    kept._folder.cache_clear()
    yield
    cache.folder.cache_clear()
    kept._folder.cache_clear()


def compiled(folder, **variables):
    """Compiles in a process of its own: programs found in the cache, the folder, standard error."""
    kept_out = ("JAX_COMPILATION_CACHE_DIR", "XLA_FLAGS")
    environment = {key: value for key, value in os.environ.items() if key not in kept_out}
    environment |= {"BUSJAX_CACHE": str(folder), "JAX_PLATFORMS": "cpu", **variables}
    done = subprocess.run(
        [sys.executable, "-c", COMPILE], env=environment, capture_output=True, text=True, check=True
    )
    hits, where = done.stdout.split()
    return int(hits), where, done.stderr


def test_programs_are_found_again_also_after_a_kill(tmp_path):
    assert compiled(tmp_path)[0] == 0
    hits, where, _ = compiled(tmp_path)
    assert hits > 0
    assert where.startswith(str(tmp_path / "xla"))
    entries = sorted((tmp_path / "xla").glob("*/*-cache"))
    for entry in entries:  # as JAX leaves them when it is killed while it writes
        entry.write_bytes(entry.read_bytes()[:20])
        entry.with_name(entry.name.removesuffix("-cache") + "-atime").unlink()
    assert compiled(tmp_path) == (0, where, "")
    assert sorted((tmp_path / "xla").glob("*/*-cache")) == entries
    assert compiled(tmp_path)[0] > 0


def test_it_can_be_turned_off_and_left_to_jax(tmp_path):
    assert compiled("")[:2] == (0, "None")
    other = str(tmp_path / "other")
    assert compiled(tmp_path, JAX_COMPILATION_CACHE_DIR=other)[1] == other
    assert not (tmp_path / "xla").exists()


def test_a_folder_that_cannot_be_made_is_told_once(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "file"))
    assert cache.folder("xla", "1") is None
    assert cache.folder("xla", "1") is None
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "set BUSJAX_CACHE to a folder that can be written to" in said


def test_what_an_earlier_version_kept_goes_when_it_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    for name, days in (("old", 61), ("recent", 59)):
        (tmp_path / "xla" / name / "entry").mkdir(parents=True)
        moment = time.time() - days * 86_400
        os.utime(tmp_path / "xla" / name, (moment, moment))
    assert cache.folder("xla", "new") == tmp_path / "xla" / "new"
    assert sorted(path.name for path in (tmp_path / "xla").iterdir()) == ["new", "recent"]


def test_the_oldest_files_go_first(tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.npy").write_bytes(b"12345")
        os.utime(tmp_path / f"{number}.npy", (number, number))
    (tmp_path / "other").write_bytes(b"12345")
    cache.prune(tmp_path, "*.npy", 11)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.npy", "3.npy", "other"]


def test_phantoms_are_read_as_they_were_made(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, "")
    made = PhantomSource(3, 5, 24)[1]
    kept._folder.cache_clear()
    cache.folder.cache_clear()
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    assert np.array_equal(PhantomSource(3, 5, 24)[1].image, made.image)
    (file,) = (tmp_path / "phantoms").glob("*/*.bytes")
    monkeypatch.setattr("busjax.data.readers.phantom.source._phantom", None)
    again = PhantomSource(3, 5, 24)[1]
    for field in ("image", "mask"):
        assert np.array_equal(getattr(again, field), getattr(made, field))
        assert getattr(again, field).dtype == np.uint8
    monkeypatch.undo()
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    file.write_bytes(file.read_bytes()[:-9])  # hurt
    assert np.array_equal(PhantomSource(3, 5, 24)[1].mask, made.mask)
    assert file.stat().st_size == 2 * 24 * 24
    # Another size, seed and index are other files.
    assert len({PhantomSource(3, s, size)[i].image.tobytes() for s, size, i in
                ((5, 24, 1), (6, 24, 1), (5, 25, 1), (5, 24, 2))}) == 4  # fmt: skip
