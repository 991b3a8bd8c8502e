"""Checkpoints: latest and best are kept, damage is told in one line."""

from contextlib import closing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from busjax.errors import UserError
from busjax.training.checkpoint import FOLDER, Checkpoints


def _state(value):
    return {"w": jnp.full((2, 3), value), "none": None}


@pytest.fixture
def saved(tmp_path):
    with closing(Checkpoints(tmp_path)) as checkpoints:
        for step, score in ((1, 0.1), (2, 0.9), (3, 0.5), (4, 0.4)):
            checkpoints.save(step, _state(float(step)), {"epoch": step}, score)
    return tmp_path


def test_latest_and_best_are_kept(saved):
    with closing(Checkpoints(saved)) as checkpoints:
        assert checkpoints.latest_step() == 4
        assert checkpoints.best_step() == 2
        for step in (2, 4):
            state, data = checkpoints.restore(step, _state(0.0))
            np.testing.assert_array_equal(state["w"], np.full((2, 3), step))
            assert data == {"epoch": step}
    kept = sorted(path.name for path in (saved / FOLDER).iterdir() if path.name.isdigit())
    assert kept == ["2", "4"]


def test_new_run_has_none(tmp_path):
    with closing(Checkpoints(tmp_path)) as checkpoints:
        assert checkpoints.latest_step() is None
        assert checkpoints.best_step() is None


def test_write_that_was_cut_short_is_no_checkpoint(saved):
    (saved / FOLDER / "5.orbax-checkpoint-tmp").mkdir()
    with closing(Checkpoints(saved)) as checkpoints:
        assert checkpoints.latest_step() == 4


def test_other_network_is_told(saved):
    with (
        closing(Checkpoints(saved)) as checkpoints,
        pytest.raises(UserError, match="use the configuration that it was trained with"),
    ):
        checkpoints.restore(4, {"w": jax.ShapeDtypeStruct((2, 4), jnp.float32), "none": None})
