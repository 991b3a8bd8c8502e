"""The public door, as a stranger would use it."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import busjax
from busjax.errors import UserError
from tests.small import SMALL


def test_a_loop_of_ones_own_in_twenty_lines():
    pytest.importorskip("safetensors")
    network, variables = busjax.build(
        "unetpp", encoder="efficientnet_lite0", encoder_weights="imagenet", width=4, ops="reference"
    )
    source = busjax.open_dataset(source="phantom", phantom_count=4, image_size=32)
    image = jnp.stack([record.image for record in source])[..., None] / 255.0
    mask = jnp.stack([record.mask for record in source])[..., None].astype(jnp.float32)

    def loss(params):
        outputs = network.apply({**variables, "params": params}, image)
        terms = busjax.losses.loss_terms(outputs, mask, source.labels)
        return busjax.losses.combine(terms).mean(), outputs

    @jax.jit
    def step(params, state):
        (value, outputs), gradient = jax.value_and_grad(loss, has_aux=True)(params)
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(params, updates), state, value, outputs

    optimizer, params, found = optax.adam(1e-3), variables["params"], []
    state = jax.jit(optimizer.init)(params)
    for _ in range(3):
        params, state, value, outputs = step(params, state)
        found.append(float(value))
    counts = busjax.metrics.count_pixels(outputs.mask_logits[0][..., 0] > 0, mask[..., 0] > 0)
    assert found[-1] < found[0]
    assert busjax.metrics.dice(counts).shape == (4,)


def test_settings_by_name():
    config = busjax.config("unetpp", seed=3, model={"width": 4})
    assert (config.name, config.model.name, config.seed, config.model.width) == ("unetpp",) * 2 + (
        3,
        4,
    )
    assert busjax.config() == busjax.Config()
    with pytest.raises(TypeError, match="did you mean 'width'"):
        busjax.config("unet", model={"widht": 4})
    with pytest.raises(UserError, match=r"'unett' is no variant: choose among .*unetpp_lite0"):
        busjax.config("unett")
    with pytest.raises(UserError, match="is no file"):
        busjax.config("configs/unett.py")
    with pytest.raises(UserError, match=r"config\.train\.epochs=-1 must be"):
        busjax.config(train={"epochs": -1})


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of tensorboardX
def test_train_evaluate_and_load(tmp_path):
    folder = tmp_path / "new" / "run"
    summary = busjax.train(busjax.config("unet", **SMALL), folder)
    assert (summary["split"], summary["n_images"]) == ("test", 9)
    again = busjax.evaluate(folder, "flipped", inference={"flips": "horizontal"})
    assert "flips=horizontal" in again["inference"]
    assert (folder / "evaluation_flipped" / "summary.json").exists()
    reading = busjax.load(folder)(np.zeros((20, 30), np.uint8))
    assert reading.mask.shape == (20, 30)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_cross_validate(tmp_path):
    config = busjax.config("unet", **SMALL, cv={"folds": 2, "only": "0"})
    assert busjax.cross_validate(config, tmp_path / "cv") is None  # a fold is missing
    summary = busjax.cross_validate(config.but(cv={"only": ""}), tmp_path / "cv")
    assert summary == busjax.cross_validate(config.but(cv={"only": ""}), tmp_path / "cv")
    assert "dice_average" in str(summary)


def test_images_and_their_audit():
    source = busjax.open_dataset(source="phantom", phantom_count=3, image_size=32)
    assert len(source) == 3
    found = busjax.audit(source)
    assert found.groups == []
    with pytest.raises(UserError, match="does not exist"):
        busjax.open_dataset("/nowhere", "busi")


def test_every_name_is_there_and_no_other():
    for name in busjax.__all__:
        assert getattr(busjax, name) is not None
    assert set(dir(busjax)) == set(busjax.__all__)
    for name in busjax.metrics.__all__:
        assert callable(getattr(busjax.metrics, name))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        busjax.nothing  # noqa: B018
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        busjax.metrics.nothing  # noqa: B018


def test_nothing_slow_is_imported_before_it_is_needed():
    code = (
        "import sys, busjax; busjax.config('unetpp'); import busjax.config.flags;"
        "assert callable(busjax.config);"
        "sys.exit(any(name in sys.modules for name in ('jax', 'flax', 'cv2', 'scipy', 'sklearn')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
