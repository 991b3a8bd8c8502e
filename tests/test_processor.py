"""The first core's fields, by hand; nothing where the system does not tell."""

import pytest

from busjax import processor


@pytest.fixture
def told(tmp_path, monkeypatch):
    """A function that lets the system tell a text."""
    processor.fields.cache_clear()
    monkeypatch.setattr(processor, "_FILE", tmp_path / "cpuinfo")
    yield (tmp_path / "cpuinfo").write_text
    processor.fields.cache_clear()


def test_the_first_core_speaks(told):
    told(
        "processor\t: 0\nmodel name\t: Some: CPU\nflags\t\t: fpu avx2\n\nprocessor\t: 1\nflags: x\n"
    )
    assert processor.fields()["model name"] == "Some: CPU"
    assert processor.flags() == {"fpu", "avx2"}


def test_arm_names_its_flags_otherwise(told):
    told("processor\t: 0\nFeatures\t: fp asimd bf16\n")
    assert processor.flags() == {"fp", "asimd", "bf16"}


def test_another_system_tells_nothing(told):
    assert processor.fields() == {}
    assert processor.flags() == frozenset()


def test_cores_are_those_of_this_process(monkeypatch):
    monkeypatch.setattr(processor.os, "sched_getaffinity", lambda _: {3, 5, 7}, raising=False)
    assert processor.cores() == 3
    monkeypatch.delattr(processor.os, "sched_getaffinity")
    monkeypatch.setattr(processor.os, "cpu_count", lambda: 8)
    assert processor.cores() == 8
