"""The steps of every configuration are lowered for accelerators that this machine has not."""

import contextlib
import importlib
import importlib.util
import math
import os
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.experimental import topologies
from jax.sharding import Mesh

from busjax.models.network import count_parameters
from busjax.models.prediction import Ensemble
from busjax.training.program import Program
from busjax.variants import load_variant

CONFIGS = sorted(
    path.stem
    for path in (Path(__file__).parent.parent.parent / "configs").glob("*.py")
    if path.stem not in ("__init__", "base")
)
CHIP_BYTES = 16 * 2**30  # memory of a TPU v5e chip


def configuration(name):
    """As 'auto' chooses on an accelerator."""
    config = load_variant(name)
    return config.but(model={"ops": "reference", "dtype": "bfloat16"})


@pytest.mark.parametrize("name", CONFIGS)
def test_steps_lower_for_cuda_and_tpu(name):
    config = configuration(name).but(parallel={"devices": 2})
    program = Program(config, 10)
    state = program.abstract_state()
    variables = jax.eval_shape(lambda state: state.evaluated, state)
    train, evaluation = program.steps
    batches = config.train.batch_size, config.train.eval_batch_size
    for step, given, size in (
        (train, (state, program.numbers), batches[0]),
        (evaluation, (Ensemble((variables,)), program.numbers.loss), batches[1]),
    ):
        exported = jax.export.export(step, platforms=["cuda", "tpu"])(
            *given, program.abstract_batch(size)
        )
        assert exported.platforms == ("cuda", "tpu")
        assert exported.nr_devices == 2
        text = exported.mlir_module()
        assert "f64" not in text
        assert ("all_reduce" in text) == (step is train)  # evaluation is of each device alone
        assert "bf16" in text


def reduced(text):
    """How many values each all-reduce of a compiled program sums."""
    found = re.findall(r"= (.*?) all-reduce(?:-start)?\(", text)
    return [
        sum(math.prod(map(int, filter(None, dims.split(",")))) for dims in shapes)
        for shapes in (re.findall(r"\w+\[([\d,]*)\]", result) for result in found)
    ]


def test_reduced_counts_values():
    text = "%a = (f32[2,3]{1,0}, f32[]) all-reduce(%b)\n%c = bf16[4] all-reduce-start(%d)\n"
    assert reduced(text) == [7, 4]


@contextlib.contextmanager
def _as_a_user_compiles():
    """Without the shortcuts that tests/conftest.py takes."""
    for shortcut in (False, True):
        jax.config.update("jax_disable_most_optimizations", shortcut)
        jax.config.update("jax_enable_compilation_cache", shortcut)
        if not shortcut:
            yield


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="pip install libtpu")
def test_a_step_compiles_for_eight_tpu_chips(monkeypatch, capsys):
    """By TPU's own compiler: it fits, and nothing but sums crosses the chips."""
    monkeypatch.setitem(os.environ, "TPU_SKIP_MDS_QUERY", "1")
    topology = topologies.get_topology_desc(platform="tpu", topology_name="v5e:2x4")
    mesh = Mesh(np.array(topology.devices), ("data",))
    batch_size = 16 * mesh.size
    config = configuration("unetpp").but(
        model={"width": 32},
        data={"image_size": 256},
        train={"batch_size": batch_size, "eval_batch_size": batch_size},
    )
    program = Program(config, 100, mesh)
    state = program.abstract_state()
    lowered = program.steps[0].lower(
        state, program.numbers, program.abstract_batch(config.train.batch_size)
    )
    with _as_a_user_compiles():
        compiled = lowered.compile()
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis()
    used = memory.temp_size_in_bytes + memory.argument_size_in_bytes
    with capsys.disabled():
        print(
            f"\n{used / 2**30:.2f} GiB a chip, {cost['flops'] / 1e12:.3f} TFLOP and "
            f"{cost['bytes accessed'] / 1e9:.1f} GB accessed a step"
        )
    assert used < 0.9 * CHIP_BYTES
    text = compiled.as_text()
    parameters = count_parameters(state.params)
    large = [count for count in reduced(text) if count > parameters / 10]
    assert len(large) == 1  # all gradients at once
    assert parameters <= large[0] < 1.01 * parameters
    assert not re.findall(r"(all-gather|all-to-all|collective-permute)(-start)?\(", text)
