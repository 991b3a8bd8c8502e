"""The table of operations: every choice is timed, and that of 'auto' is marked."""

import jax
import pytest

from busjax.benchmark import encoders, operations, train_step
from busjax.models import architectures
from busjax.ops import hardware


def test_every_choice_is_timed_and_that_of_auto_is_marked(config, monkeypatch, capsys):
    monkeypatch.setattr(train_step, "load_variant", lambda path: config)
    monkeypatch.setattr(operations, "DTYPES", ("float32",))
    monkeypatch.setattr(architectures.hardware, "has_fast_bfloat16", lambda: False)
    assert operations.main(["--rounds=1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[2:]] == [
        ["cpu", "float32"],
        ["reference", "float32"],
    ]
    assert [line.split()[3:] for line in lines[2:]] == [["auto"], []]
    assert all(float(line.split()[2]) > 0 for line in lines[2:])


def test_the_choices_differ_in_nothing_else(config):
    found = operations.choices(config)
    assert len(found) == 4
    assert {(c.model.ops, c.model.dtype) for c in found.values()} == {
        (name, dtype) for name in operations.NAMES for dtype in operations.DTYPES
    }
    for changed in found.values():
        same = {"ops": config.model.ops, "dtype": config.model.dtype}
        assert changed.but(model=same) == config


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("backend", ["cpu", "gpu"])
def test_what_auto_takes_is_among_the_choices(config, monkeypatch, fast, backend):
    monkeypatch.setattr(hardware, "has_fast_bfloat16", lambda: fast)
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    chosen = operations.choices(config)[operations.automatic()].model
    assert chosen.ops == {"cpu": "cpu", "gpu": "reference"}[backend]
    assert chosen.dtype == ("bfloat16" if fast else "float32")


@pytest.mark.parametrize("main", [operations.main, encoders.main])
def test_a_configuration_that_is_not_there(main, capsys):
    assert main(["--config=nothing.py"]) == 1
    assert capsys.readouterr().err.startswith("busjax: --config=nothing.py is no file: give ")
