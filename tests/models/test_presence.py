"""Whether there is a lesion, by the mask: by hand, and as a part of every network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from busjax.models.presence import MaskPresence


def said(mask_logits, class_logits, inside=None, scale=1.0, shift=0.0):
    variables = {"params": {"scale": jnp.float32(scale), "shift": jnp.float32(shift)}}
    logits = MaskPresence().apply(variables, mask_logits, class_logits, inside)
    return np.asarray(jax.nn.softmax(logits)), np.asarray(logits)


def mask(*values):
    return jnp.array(values, jnp.float32).reshape(1, 1, -1, 1)


KINDS = jnp.array([[1.0, 0.0, 7.0]])  # the last counts for nothing


def test_an_even_mask_is_its_own_evidence():
    classes, logits = said(mask(2.0, 2.0, 2.0), KINDS)
    lesion = 1 / (1 + np.exp(-2.0))
    share = np.exp(1) / (np.exp(1) + 1)
    np.testing.assert_allclose(
        classes, [[lesion * share, lesion * (1 - share), 1 - lesion]], rtol=1e-5
    )
    np.testing.assert_allclose(np.exp(logits).sum(), 1, rtol=1e-5)  # they are logarithms


def test_scale_and_shift_are_of_the_evidence():
    classes, _ = said(mask(2.0, 2.0), KINDS, scale=0.5, shift=-1.0)
    assert classes[0, 2] == pytest.approx(0.5)


def test_a_small_lesion_is_nearly_as_good_as_a_large_one():
    small, large = (said(mask(*[6.0] * n, *[-6.0] * (64 - n)), KINDS)[0] for n in (2, 40))
    assert small[0, 2] < 0.01
    assert large[0, 2] < small[0, 2]
    nothing, _ = said(mask(*[-6.0] * 64), KINDS)
    assert nothing[0, 2] > 0.99


def test_what_lies_around_the_image_is_no_evidence():
    inside = mask(1.0, 1.0, 0.0, 0.0)
    padded, _ = said(mask(-3.0, -2.0, 9.0, 9.0), KINDS, inside)
    alone, _ = said(mask(-3.0, -2.0), KINDS)
    np.testing.assert_allclose(padded, alone, rtol=1e-5)
    nothing, _ = said(mask(9.0, 9.0), KINDS, mask(0.0, 0.0))
    assert np.isfinite(nothing).all()


def test_the_class_trains_the_mask(build, rng):
    net = build("unetpp")
    network = net.network.clone(presence="mask")
    image = jnp.asarray(rng.random((2, 16, 16, 1)), jnp.float32)
    added = {"presence_by_mask": {"scale": jnp.float32(1), "shift": jnp.float32(0)}}

    @jax.jit
    def normal(params):
        outputs = network.apply({**net.variables, "params": {**params, **added}}, image)
        return outputs.class_logits[:, 2].sum(), outputs

    gradient, outputs = jax.grad(normal, has_aux=True)(net.variables["params"])
    np.testing.assert_allclose(jnp.exp(outputs.class_logits).sum(-1), 1, rtol=1e-5)
    finest = gradient[max(name for name in gradient if name.startswith("mask_"))]
    assert any(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(finest))


def test_a_run_trains_with_it(train, config, tmp_path):
    from busjax.runs import results

    padded = config.but(model={"presence": "mask"}, data={"fit": "pad"})
    train(padded, tmp_path)
    summary = results.read_summary(tmp_path)
    assert 0 <= summary["dice_average"] <= 1
