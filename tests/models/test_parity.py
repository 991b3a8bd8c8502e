"""The two implementations of the operations give every network the same outputs and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from busjax.models import architectures


def _outputs_and_gradients(network, variables, image):
    def loss(params):
        outputs, updated = network.apply(
            {**variables, "params": params},
            image,
            train=True,
            rngs={"dropout": jax.random.key(0)},
            mutable=["batch_stats"],
        )
        leaves = jax.tree.leaves(outputs)
        weighted = (
            jnp.mean(x * jax.random.normal(jax.random.key(i), x.shape))
            for i, x in enumerate(leaves)
        )
        return sum(weighted), (outputs, updated)

    (_, found), gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))(variables["params"])
    return found, gradient


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "gated_unet", "gate": "unit", "norm": "group"},
        {"name": "gated_unet", "gate": "attention", "upsample": "bilinear", "dropout": 0.2},
        {"name": "unetpp", "depth": 2},
    ],
    ids=lambda fields: "-".join(map(str, fields.values())),
)
def test_reference_and_cpu_agree(config, fields, rng):
    config = config.but(model={"dtype": "float32", "activation_slope": 0.1, "depth": 1, **fields})
    image = jnp.asarray(rng.random((3, 16, 16, 1)), jnp.float32)
    rngs = {"params": jax.random.key(0, impl="rbg"), "dropout": jax.random.key(1)}
    found = {}
    for ops in ("reference", "cpu"):
        network = architectures.build(config.model.but(ops=ops))
        if not found:
            variables = jax.jit(network.init, static_argnums=2)(rngs, image, True)
        found[ops] = _outputs_and_gradients(network, variables, image)

    def agree(path, a, b):
        # Relative to the largest of each array; some gradients are 0 but for rounding.
        scale = max(float(jnp.abs(b).max()), 1e-3)
        np.testing.assert_allclose(
            a, b, atol=1e-4 * scale, rtol=0, err_msg=jax.tree_util.keystr(path)
        )

    jax.tree_util.tree_map_with_path(agree, found["cpu"], found["reference"])
