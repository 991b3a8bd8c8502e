"""Files on a disk and in a bucket; a whole run in a bucket that is a folder of this machine."""

import argparse
import contextlib
import errno
import logging
import os
import sys
import threading
import warnings
from typing import ClassVar

import fsspec
import numpy as np
import pytest
from etils import epath
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem
from orbax.checkpoint._src.path import gcs_utils

from busjax import files, run
from busjax.errors import UserError
from busjax.evaluation.report.run_page import write_report
from busjax.runs import configuration, results
from tests.finished import untimed_history

RUN = "gs://bucket/folder/run"


def test_given_paths(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert str(files.locate("a/b", "/base")) == "/base/a/b"
    assert str(files.locate("/a", "/base")) == "/a"
    assert str(files.locate("~/a", "/base")) == "/home/me/a"
    assert files.is_remote("gs://bucket/a")
    assert not files.is_remote("/a")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ECONNREFUSED, "refused"), "cannot be reached: refused"),
        (ValueError("Anonymous caller"), "cannot be reached: Anonymous caller"),
        (RuntimeError(), "cannot be reached: RuntimeError"),
        (ImportError("Please install gcsfs"), r"needs pip install 'busjax\[gcs\]' \(Please"),
    ],
)
def test_a_bucket_that_does_not_answer_is_told_in_one_line(error, told, monkeypatch, caplog):
    def refuse(*_):
        logging.getLogger("gcsfs").error("a stack of calls")
        raise error

    monkeypatch.setattr(type(epath.Path("gs://bucket")), "exists", refuse)
    with pytest.raises(UserError, match=f"^gs://bucket/a {told}"):
        files.locate("gs://bucket/a")
    assert not caplog.records


def test_a_list_of_paths(tmp_path):
    for name in ("a", "a,b", "c"):
        (tmp_path / name).mkdir()
    assert files.several("a,b,c", tmp_path) == ["a,b", "c"]
    assert files.several("c,a,x", tmp_path) == ["c", "a", "x"]
    assert files.several("", tmp_path) == [""]
    assert files.several("gs://one,gs://two", tmp_path) == ["gs://one", "gs://two"]
    many = ",".join("y" * 200 for _ in range(30))
    assert len(files.several(many, tmp_path)) == 30


def test_a_wrong_path_on_a_command_line(capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=files.argument)
    assert parser.parse_args(["a/b"]).folder == epath.Path("a/b")
    with pytest.raises(SystemExit):
        parser.parse_args(["nowhere://a"])
    assert "'nowhere://a' is no path: give one of this machine" in capsys.readouterr().err


def test_a_crash_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = epath.Path(tmp_path) / "file"
    files.replace(path, b"old")

    def crash(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(OSError, match="disk full"):
        files.replace(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_what_replaces_a_file_can_be_read_by_others(tmp_path):
    files.replace(epath.Path(tmp_path) / "file", b"content")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "full"), "No space left on device.*make room"),
        (PermissionError(errno.EACCES, "no"), "Permission denied.*make it writable"),
        (ValueError("RESOURCE_EXHAUSTED: [os_error_code='28']"), "No space left on device"),
        (TimeoutError("completed 4/5 futures"), "it took too long.*see that its disk answers"),
    ],
)
def test_what_a_disk_refuses_is_told_whatever_raised_it(tmp_path, error, told):
    def fail():
        try:
            raise error
        except Exception as cause:
            raise RuntimeError("of a library") from cause

    with pytest.raises(files.Unwritable, match=told), files.written(epath.Path(tmp_path)):
        fail()


def test_a_folder_that_was_removed_is_told_and_other_errors_are_left(tmp_path):
    folder = epath.Path(tmp_path) / "run"
    with pytest.raises(files.Unwritable, match="removed"), files.written(folder):
        (folder / "file").read_text()
    with pytest.raises(FileNotFoundError), files.written(epath.Path(tmp_path)):
        (folder / "file").read_text()
    with pytest.raises(UserError, match=r"^wrong$"), files.written(folder):
        raise UserError("wrong")


class Bucket(DirFileSystem):
    """Google's storage as gcsfs shows it, kept in `root`; counts the files opened through it."""

    protocol = ("gs", "gcs")
    cachable = False
    root = ""
    opened: ClassVar[list[str]] = []
    inside = threading.local()  # Orbax opens files in many threads at a time

    def __init__(self, **_):
        super().__init__(path=self.root, fs=LocalFileSystem(auto_mkdir=True))

    @classmethod
    def _strip_protocol(cls, path):
        return path.removeprefix("gs://")

    def open(self, path, mode="rb", *args, **kwargs):
        path = self._strip_protocol(path)
        Bucket.opened.append(path)
        Bucket.inside.yes = True
        try:
            return super().open(path, mode, *args, **kwargs)
        finally:
            Bucket.inside.yes = False


def _inside():
    return getattr(Bucket.inside, "yes", False)


def _watch(event, arguments):
    """Notes every file that Python opens for writing past the bucket; an audit hook."""
    if (
        event == "open"
        and isinstance(arguments[0], str)
        and not getattr(Bucket.inside, "yes", False)
    ):
        path, _, flags = arguments
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes and ("gs:" in path or (Bucket.root and path.startswith(Bucket.root))):
            PAST.append(path)
    elif event == "os.mkdir" and "gs:" in str(arguments[0]):
        PAST.append(str(arguments[0]))


PAST: list[str] = []
sys.addaudithook(_watch)


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    root = tmp_path / "storage"
    monkeypatch.setattr(Bucket, "root", str(root))
    monkeypatch.setattr(Bucket, "opened", [])
    PAST.clear()
    fsspec.register_implementation("gcs", Bucket, clobber=True)

    # TensorStore, which writes the arrays of a checkpoint, reaches Google by a way of its own.
    def kvstore(path):
        return {"driver": "file", "path": f"{root}/{path.removeprefix('gs://')}"}

    monkeypatch.setattr(gcs_utils, "get_kvstore_for_gcs", kvstore)
    monkeypatch.setattr(gcs_utils, "is_hierarchical_namespace_enabled", lambda path: False)
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    with warnings.catch_warnings():
        # tensorboardX still calls what NumPy and protobuf deprecate.
        warnings.simplefilter("ignore", DeprecationWarning)
        yield root / "bucket" / "folder" / "run"


@pytest.mark.skipif(
    not hasattr(gcs_utils, "get_kvstore_for_gcs"),
    reason="before 0.12.8 Orbax asks Google itself, past the stand-in",
)
def test_a_run_in_a_bucket(bucket, config, tmp_path, monkeypatch):
    """Trained, cut off, gone on with, evaluated and reported; nothing goes past the bucket."""
    assert str(files.locate(RUN, "/base")) == RUN
    config = config.but(name="tiny", model={"depth": 1})
    workdir, here = epath.Path(RUN), tmp_path / "here"
    here.mkdir()
    run.train_and_evaluate(config, epath.Path(here))
    PAST.clear()

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("busjax.run._evaluate_and_report", killed)
        with contextlib.suppress(KeyboardInterrupt):
            run.train_and_evaluate(config, workdir)
    run.train_and_evaluate(configuration.read(workdir), workdir)
    run.evaluate_only(config, workdir)
    assert str(write_report(RUN)) == f"{RUN}/report.html"

    for name in ("config.json", "split.json", "report.html", "history.jsonl"):
        assert (bucket / name).is_file()
        assert f"bucket/folder/run/{name}" in Bucket.opened
    assert list((bucket / "tensorboard").iterdir())
    assert {path.name for path in (bucket / "checkpoints").iterdir()} >= {"8"}
    assert results.read_rows(RUN) == results.read_rows(here)
    predictions, others = results.read_predictions(RUN), results.read_predictions(here)
    np.testing.assert_array_equal(predictions.probability, others.probability)
    histories = [untimed_history(folder) for folder in (bucket, here)]
    assert histories[0] == histories[1]
    assert PAST == []
    assert list((tmp_path / "cwd").iterdir()) == []
