"""Views, members and calibration: values by hand, and neutral where nothing is asked for."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from busjax.models import architectures, prediction
from busjax.models.network import Outputs
from busjax.models.prediction import FLIPS, Calibration, Ensemble
from busjax.ops.cpu import batch


def _image(rng):
    return jnp.asarray(rng.random((2, 16, 16, 1)), jnp.float32)


def test_alone_it_is_the_network(build, architecture, rng):
    net, image = build(architecture), _image(rng)
    outputs = net.evaluate(net.variables, image)
    found = prediction.predict(net.network, Ensemble((net.variables,)), image)
    np.testing.assert_allclose(found.mask, jax.nn.sigmoid(outputs.mask_logits[0]), atol=1e-5)
    np.testing.assert_allclose(found.classes, jax.nn.softmax(outputs.class_logits), atol=1e-5)


@pytest.mark.parametrize("flips", FLIPS)
def test_views_are_flipped_back_and_averaged(build, flips, rng):
    net, image = build("unet"), _image(rng)
    found = prediction.predict(net.network, Ensemble((net.variables,)), image, flips)
    masks, classes = [], []
    for axes in FLIPS[flips]:
        one = net.predict(net.variables, jnp.flip(image, axes))
        masks.append(np.flip(one.mask, axes))
        classes.append(one.classes)
    assert len(masks) == {"none": 1, "horizontal": 2, "both": 4}[flips]
    np.testing.assert_allclose(found.mask, np.mean(masks, axis=0), atol=1e-5)
    np.testing.assert_allclose(found.classes, np.mean(classes, axis=0), atol=1e-5)


def test_with_all_flips_a_flipped_image_gives_the_flipped_mask(build, rng):
    net, image = build("unet"), _image(rng)
    ensemble = Ensemble((net.variables,))
    plain, flipped = (
        prediction.predict(net.network, ensemble, x, "both") for x in (image, image[:, ::-1])
    )
    np.testing.assert_allclose(flipped.mask, plain.mask[:, ::-1], atol=1e-5)
    np.testing.assert_allclose(flipped.classes, plain.classes, atol=1e-5)


def test_members_are_averaged(build, rng):
    net, image = build("unet"), _image(rng)
    other = jax.tree.map(lambda x: x * 1.5, net.variables)
    found = prediction.predict(net.network, Ensemble((net.variables, other)), image)
    each = [net.predict(variables, image) for variables in (net.variables, other)]
    np.testing.assert_allclose(found.mask, (each[0].mask + each[1].mask) / 2, atol=1e-6)
    np.testing.assert_allclose(found.classes, (each[0].classes + each[1].classes) / 2, atol=1e-6)
    assert np.abs(each[0].mask - each[1].mask).max() > 1e-3


def test_calibration_by_hand():
    """A pixel at the threshold comes to 0.5; the temperature divides the logits."""
    logits = jnp.array([[1.0, -2.0, 0.5]])
    said = [
        Outputs((jax.scipy.special.logit(jnp.array([0.2, 0.3, 0.9])).reshape(1, 1, 3, 1),), logits)
    ]
    calibration = Calibration(np.float32(0.3), np.float32(2.0))
    found = prediction.average(said, calibration)
    odds = [0.2 / 0.8 / (0.3 / 0.7), 1.0, 0.9 / 0.1 / (0.3 / 0.7)]
    np.testing.assert_allclose(found.mask.ravel(), [o / (1 + o) for o in odds], rtol=1e-5)
    np.testing.assert_allclose(found.classes, jax.nn.softmax(logits / 2), rtol=1e-5)


def test_shifting_keeps_the_ends_and_the_order():
    p = np.linspace(0, 1, 11)
    for threshold in (0.05, 0.5, 0.95):
        shifted = prediction.shifted(p, threshold)
        assert shifted[0] == 0
        assert shifted[-1] == 1
        assert (np.diff(shifted) > 0).all()
    np.testing.assert_allclose(prediction.shifted(p, 0.5), p)


def test_on_a_cpu_a_batch_is_read_in_parts(build, rng, monkeypatch):
    monkeypatch.setattr(batch, "_CORE_BYTES", 1)
    net, image = build("unet"), _image(rng)
    on_cpu = architectures.build(net.model.but(ops="cpu"))
    ensemble = Ensemble((net.variables,))
    predict = jax.jit(functools.partial(prediction.predict, on_cpu)).lower(ensemble, image)
    assert "stablehlo.while" in predict.as_text()
    want = net.predict(net.variables, image)
    found = predict.compile()(ensemble, image)
    np.testing.assert_allclose(found.mask, want.mask, atol=1e-5)
    np.testing.assert_allclose(found.classes, want.classes, atol=1e-5)


def test_views_and_members_that_disagree_are_told(build, rng):
    net, image = build("unet"), _image(rng)
    one = prediction.predict(net.network, Ensemble((net.variables,)), image)
    np.testing.assert_array_equal(one.uncertainty.class_disagreement, 0)
    other = jax.tree.map(lambda x: x * 1.5, net.variables)
    ensemble = Ensemble((net.variables, other))
    both = prediction.predict(net.network, ensemble, image, "horizontal")
    assert (both.uncertainty.class_disagreement > 0).all()
    seen = net.evaluate(net.variables, image).features
    assert len(seen) == 2
    np.testing.assert_allclose(both.features, seen, rtol=1e-4)  # of the first, not flipped


@pytest.mark.parametrize("architecture", ["unet", "unetpp"])
def test_what_lies_around_an_image_changes_none_of_its_features(build, architecture, rng):
    net = build(architecture)
    narrow = jnp.asarray(rng.random((2, 16, 8, 1)), jnp.float32)
    square = jnp.pad(narrow, [(0, 0), (0, 0), (4, 4), (0, 0)])
    inside = jnp.pad(jnp.ones_like(narrow), [(0, 0), (0, 0), (4, 4), (0, 0)])
    ensemble = Ensemble((net.variables,))
    found = prediction.predict(net.network, ensemble, square, inside=inside)
    unknown = prediction.predict(net.network, ensemble, square)
    np.testing.assert_allclose(found.classes, unknown.classes, atol=1e-6)
    # The finest feature by hand: the mean over the image alone.
    features = net.network.apply(net.variables, square, method=lambda net, x: net.encoder(x))
    first = net.network.encoder.spec.ops.unload(features[0])[:, :, 4:12]
    width = first.shape[-1]
    np.testing.assert_allclose(found.features[:, :width], first.mean((1, 2)), rtol=1e-4)
    assert np.abs(found.features - unknown.features).max() > 0.01
    whole = prediction.predict(net.network, ensemble, square, inside=jnp.ones_like(square))
    np.testing.assert_allclose(whole.features, unknown.features, rtol=1e-4, atol=1e-6)
