"""Checkpoints: latest and best are kept; a damaged one is named, and a whole one is used."""

import shutil
from contextlib import closing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from busjax.config import Config
from busjax.errors import UserError
from busjax.runs import checksums
from busjax.runs.checkpoint import CONFIG, FOLDER, Checkpoints, restore_best


def _state(value):
    return {"w": jnp.full((2, 3), value), "none": None}


def _evaluated(value):
    return {"params": {"w": np.full(3, value, np.float32)}, "batch_stats": {}}


def _data(step):
    return {"epoch": step, CONFIG: Config().flat()}


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    with closing(Checkpoints(folder)) as checkpoints:
        for step, score in ((1, 0.1), (2, 0.9), (3, 0.5), (4, 0.4)):
            checkpoints.save(step, _state(float(step)), _evaluated(float(step)), _data(step), score)
    return folder


@pytest.fixture
def saved(template, tmp_path):
    """Steps 2 (the best), 3 and 4; each state is full of its step."""
    shutil.copytree(template / FOLDER, tmp_path / FOLDER)
    return tmp_path


def _flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def _array_file(folder, step):
    return max((folder / FOLDER / str(step) / "state").rglob("d/*"), key=lambda p: p.stat().st_size)


def _kept(folder):
    return sorted(path.name for path in (folder / FOLDER).iterdir() if path.name[-1].isdigit())


def test_latest_two_and_best_are_kept(saved):
    with closing(Checkpoints(saved)) as checkpoints:
        assert checkpoints.latest_step() == 4
        assert checkpoints.best_step() == 2
        for step in (2, 3, 4):
            state, data = checkpoints.restore(step, _state(0.0))
            np.testing.assert_array_equal(state["w"], np.full((2, 3), step))
            assert data == _data(step)
    assert _kept(saved) == ["2", "3", "4"]


def test_new_run_has_none(tmp_path):
    with closing(Checkpoints(tmp_path)) as checkpoints:
        assert checkpoints.latest_step() is None
        assert checkpoints.best_step() is None


def test_write_that_was_cut_short_is_no_checkpoint(saved):
    (saved / FOLDER / "5.orbax-checkpoint-tmp").mkdir()
    with closing(Checkpoints(saved)) as checkpoints:
        assert checkpoints.latest_step() == 4


@pytest.mark.parametrize("hurt", [_flip, _truncate, lambda path: path.unlink()])
def test_the_latest_is_damaged(saved, hurt, capsys):
    hurt(_array_file(saved, 4))
    with closing(Checkpoints(saved)) as checkpoints:
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert "checkpoints/4 is damaged: state/" in told
        assert (checkpoints.latest_step(), checkpoints.best_step()) == (3, 2)
        # The same step is reached again, and counts.
        checkpoints.save(4, _state(7.0), _evaluated(7.0), _data(4), 1.0)
        assert (checkpoints.latest_step(), checkpoints.best_step()) == (4, 4)
    assert (saved / FOLDER / "damaged_4").is_dir()
    step, variables, _ = restore_best(saved)
    assert (step, float(variables["params"]["w"][0])) == (4, 7.0)
    assert capsys.readouterr().err == ""


def test_the_best_is_damaged_and_nothing_may_be_written(saved, capsys):
    _flip(_array_file(saved, 2))
    step, variables, _ = restore_best(saved)
    assert (step, float(variables["params"]["w"][0])) == (3, 3.0)
    assert "checkpoints/2 is damaged: state/" in capsys.readouterr().err
    assert _kept(saved) == ["2", "3", "4"]


def test_an_empty_and_a_half_written_folder_are_passed_over(saved, capsys):
    (saved / FOLDER / "6").mkdir()
    shutil.copytree(saved / FOLDER / "4" / "state", saved / FOLDER / "5" / "state")
    with closing(Checkpoints(saved)) as checkpoints:
        assert checkpoints.latest_step() == 4
    told = capsys.readouterr().err
    assert "checkpoints/5 is damaged: it has no checksums.json" in told
    assert "checkpoints/6 is damaged: it has no checksums.json" in told


def test_all_are_damaged(saved):
    for step in (2, 3, 4):
        _flip(_array_file(saved, step))
    for opened in (lambda: Checkpoints(saved), lambda: restore_best(saved)):
        with pytest.raises(UserError, match=r"no checkpoint in .* is whole: bring one back"):
            opened()
    assert _kept(saved) == ["2", "3", "4"]


def test_damage_to_the_file_without_a_checksum_changes_nothing(saved):
    for hurt in (_flip, _truncate, lambda path: path.write_bytes(b""), lambda p: p.unlink()):
        hurt(saved / FOLDER / "2" / "_CHECKPOINT_METADATA")
        step, variables, _ = restore_best(saved)
        assert (step, float(variables["params"]["w"][0])) == (2, 2.0)


def test_damaged_metrics_do_not_stop_an_evaluation(saved):
    (saved / FOLDER / "4" / "metrics" / "metrics").write_text("{")
    assert restore_best(saved)[0] == 2


def test_those_of_an_earlier_version_count_and_get_checksums(saved, capsys):
    for step in (2, 3, 4):
        (saved / FOLDER / str(step) / checksums.FILE).unlink()
    (saved / FOLDER / "5").mkdir()
    assert restore_best(saved)[0] == 2
    with closing(Checkpoints(saved)) as checkpoints:
        assert (checkpoints.latest_step(), checkpoints.best_step()) == (4, 2)
    assert "checkpoints/5 is damaged" in capsys.readouterr().err
    assert all(checksums.exist(saved / FOLDER / str(step)) for step in (2, 3, 4))


def test_other_network_is_told(saved):
    here = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    other = {"w": jax.ShapeDtypeStruct((2, 4), jnp.float32, sharding=here), "none": None}
    with (
        closing(Checkpoints(saved)) as checkpoints,
        pytest.raises(UserError, match="use the configuration that it was trained with"),
    ):
        checkpoints.restore(4, other)


def test_fields_of_another_configuration_are_shown(saved):
    # An evaluation may set model.refine.
    config = Config().but(model={"width": 5, "refine": "hard"}, optim={"ema_decay": 0.5})
    with pytest.raises(UserError) as told:
        restore_best(saved, config)
    width = "of another configuration: config.model.width is 16 there and 5 here"
    assert str(told.value).endswith(width)  # the optimiser has no say in what is evaluated
    with closing(Checkpoints(saved)) as checkpoints, pytest.raises(UserError) as told:
        checkpoints.restore(4, _state(0.0), config)
    assert str(told.value).endswith(f"{width}, config.optim.ema_decay is 0.99 there and 0.5 here")
