"""Where a process stands in its run, and what one process alone does; two: tests/launch."""

import subprocess
import sys

import pytest

from busjax import processes
from busjax.errors import UserError
from busjax.processes import Place


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"count": 2}, "all three"),
        ({"index": 0}, "all three"),
        ({"coordinator": "host:1"}, "all three"),
        ({"coordinator": "host:1", "count": 2}, "all three"),
        ({"coordinator": "host", "count": 2, "index": 0}, "must be HOST:PORT"),
        ({"coordinator": ":80", "count": 2, "index": 0}, "must be HOST:PORT"),
        ({"coordinator": "host:0", "count": 2, "index": 0}, "must be HOST:PORT"),
        ({"coordinator": "host:65536", "count": 2, "index": 0}, "must be HOST:PORT"),
        ({"coordinator": "host:1", "count": 2, "index": 2}, "must be 0 to 1"),
        ({"coordinator": "host:1", "count": 2, "index": -1}, "must be 0 to 1"),
    ],
)
def test_places_that_do_not_fit(place, message):
    with pytest.raises(UserError, match=message):
        Place(**place)


def test_places_that_fit():
    Place("host.name:1234", 2, 1)
    Place("[::1]:1234", 1, 0)
    Place()


def test_one_process_alone_is_left_as_it_is(capfd):
    processes.join(Place(count=1), 1)
    assert processes.alone()
    assert processes.is_first()
    assert processes.on_all(lambda: 3) == 3
    processes.agree("anything", "text")
    print("heard")
    assert capfd.readouterr().out == "heard\n"


def test_where_no_cluster_is_detected_a_process_is_alone():
    """In a process of its own: JAX joins only before it has touched a device."""
    code = (
        "from busjax import processes; processes.join(processes.Place(), 5);"
        "assert processes.alone(); print('heard')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("heard\n", 0), done.stderr


def test_an_error_of_one_process_alone_is_raised_as_it_is():
    def fail():
        raise UserError("wrong")

    with pytest.raises(UserError, match=r"^wrong$"):
        processes.on_all(fail)


def test_a_cluster_that_does_not_tell_enough(monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("no controller")

    monkeypatch.setattr(processes.jax.distributed, "initialize", fail)
    with pytest.raises(UserError, match=r"a cluster was detected.*no controller.*--processes=1"):
        processes.join(Place(), 5)
