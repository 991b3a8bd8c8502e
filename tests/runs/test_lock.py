"""One run a folder; that real processes keep to it is shown in test_interruption.py."""

import errno
import fcntl
import json
import os
import socket
import threading
import time

import pytest
from etils import epath

from busjax.runs import lock
from busjax.runs.lock import Held, held


@pytest.fixture
def folder(tmp_path):
    return epath.Path(tmp_path)


@pytest.fixture
def no_flock(monkeypatch):
    """A file system that knows no locks."""

    def refuse(*_):
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)


def leave(folder, host, timeout=0.2, **more):
    """What a run that was killed leaves behind."""
    said = {"host": host, "process": 7, "run": "x", "timeout": timeout, "signs": 1, **more}
    (folder / lock.FILE).write_text(json.dumps(said) + "\n")


def test_a_second_run_is_refused_until_the_first_has_ended(folder):
    refused = rf"^{folder} is in use by process {os.getpid()} on {socket.gethostname()}: wait"
    with held(folder, 60):
        for _ in range(2):
            with pytest.raises(Held, match=refused), held(folder, 60):
                pass
    assert not list(folder.iterdir())
    with pytest.raises(KeyError), held(folder, 60):
        raise KeyError
    with held(folder, 60):
        pass


def test_a_process_of_this_host_that_is_dead_is_not_waited_for(folder, monkeypatch):
    leave(folder, socket.gethostname(), timeout=60)
    monkeypatch.setattr(time, "sleep", pytest.fail)
    with held(folder, 60):
        assert json.loads((folder / lock.FILE).read_text())["process"] == os.getpid()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"host": "elsewhere"}'])
def test_a_file_that_was_not_written_to_its_end_is_nobodys(folder, monkeypatch, content):
    (folder / lock.FILE).write_text(content)
    monkeypatch.setattr(time, "sleep", pytest.fail)
    with held(folder, 60):
        pass


def test_a_dead_process_of_another_host_is_taken_over_after_the_longer_timeout(folder, capsys):
    leave(folder, "elsewhere", timeout=0.4)
    start = time.monotonic()
    with held(folder, 0.1):
        assert time.monotonic() - start >= 0.4
        assert json.loads((folder / lock.FILE).read_text())["host"] == socket.gethostname()
    assert "held by process 7 on elsewhere; waiting up to 0.4 s to see if it is still running" in (
        capsys.readouterr().out
    )


def test_a_living_process_of_another_host_is_left_alone(folder):
    leave(folder, "elsewhere", timeout=4)
    sign = threading.Timer(0.1, leave, (folder, "elsewhere", 4), {"signs": 2})
    sign.start()
    with pytest.raises(Held, match="in use by process 7 on elsewhere"), held(folder, 0.1):
        pass
    assert json.loads((folder / lock.FILE).read_text())["signs"] == 2
    (folder / lock.FILE).unlink()
    with held(folder, 60):  # the refused one holds nothing back
        pass


def test_one_of_another_host_that_ends_while_it_is_looked_at_is_not_waited_for(folder):
    leave(folder, "elsewhere", timeout=4)
    threading.Timer(0.1, (folder / lock.FILE).unlink).start()
    with held(folder, 0.1):
        pass


def test_without_locks_of_the_system_the_signs_of_life_do(folder, no_flock):
    with held(folder, 0.4), pytest.raises(Held, match=f"process {os.getpid()}"), held(folder, 0.4):
        pass
    leave(folder, socket.gethostname())
    with held(folder, 0.1):
        pass


def test_one_that_was_taken_over_ends_and_leaves_the_lock(folder, no_flock, monkeypatch, capsys):
    codes, ended = [], threading.Event()

    def end(code):
        codes.append(code)
        ended.set()

    monkeypatch.setattr(os, "_exit", end)
    with held(folder, 0.1):
        leave(folder, "elsewhere")
        assert ended.wait(10)
    assert codes == [1]
    assert "was taken over by process 7 on elsewhere" in capsys.readouterr().err
    assert json.loads((folder / lock.FILE).read_text())["host"] == "elsewhere"
