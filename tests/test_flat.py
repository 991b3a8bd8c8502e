"""A tree of weights as long vectors, and back."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from busjax import flat
from busjax.training import optim

TREE = {
    "encoder": {
        "finest": {"kernel": np.full((1, 2), 1.0)},
        "level_0": {"bias": np.array([2.0]), "kernel": np.array([[3.0], [4.0]])},
    },
    "head": {"kernel": np.array([[5.0, 6.0]]), "scale": np.array([7.0])},
}
VECTORS = {
    "encoder/kernels": [3.0, 4.0],
    "encoder/vectors": [2.0],
    "rest/kernels": [1.0, 1.0, 5.0, 6.0],
    "rest/vectors": [7.0],
}


@pytest.mark.parametrize("numbers", [np.asarray, jnp.asarray])
def test_tensors_lie_end_to_end_by_group(numbers):
    tree = jax.tree.map(numbers, TREE)
    found = flat.flatten(tree, optim.group_of)
    assert {group: vector.tolist() for group, vector in found.vectors.items()} == VECTORS
    assert all(isinstance(vector, type(numbers(0))) for vector in found.vectors.values())
    chex.assert_trees_all_equal(found.tree, tree)


def test_a_gradient_is_laid_out_as_its_weights():
    model = {"network": flat.flatten(TREE, optim.group_of), "other": np.zeros(())}
    doubled = jax.tree.map(lambda x: 2 * x, flat.unflatten(model))
    found = flat.like(model, doubled)
    chex.assert_trees_all_equal(found, jax.tree.map(lambda x: 2 * x, model))
    assert jax.tree.structure(found) == jax.tree.structure(model)
    doubled["network"]["head"]["scale"] = np.zeros(2)
    with pytest.raises(ValueError, match=r"head/scale has the shape \(2,\), not \(1,\)"):
        flat.like(model, doubled)
