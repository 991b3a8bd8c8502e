"""Networks that several tests share, built once."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from busjax.config import Model
from busjax.models import architectures, prediction
from busjax.models import network as networks
from busjax.models.blocks import BlockSpec
from busjax.ops import reference

ARCHITECTURES = {
    "unet": {"name": "unet"},
    "unet_group_bilinear": {"name": "unet", "norm": "group", "upsample": "bilinear"},
    "gated_unet_unit": {"name": "gated_unet", "gate": "unit"},
    "gated_unet_attention": {"name": "gated_unet", "gate": "attention", "norm": "instance"},
    "unetpp": {"name": "unetpp", "depth": 2},
}


@dataclasses.dataclass(frozen=True)
class Built:
    """Settings, their network with initial variables, and its two ways of being called, jitted."""

    model: Model
    network: networks.MultiTaskNet
    variables: Any

    @functools.cached_property
    def evaluate(self) -> Callable[..., networks.Outputs]:
        return jax.jit(functools.partial(self.network.apply, train=False))

    @functools.cached_property
    def predict(self) -> Callable[..., prediction.Prediction]:
        def predict(variables: Any, image: jax.Array) -> prediction.Prediction:
            return prediction.predict(self.network, prediction.Ensemble((variables,)), image)

        return jax.jit(predict)

    def train(self, variables: Any, image: jax.Array) -> networks.Outputs:
        """Not jitted: for use inside a jitted gradient."""
        rngs = {"dropout": jax.random.key(0)}
        return self.network.apply(variables, image, train=True, rngs=rngs, mutable=["batch_stats"])[
            0
        ]


@functools.cache
def _build(architecture: str, dtype: str) -> Built:
    small = {"width": 4, "depth": 1, "norm_groups": 2, "activation_slope": 0.1, "dtype": dtype}
    plain = {"classifier_hidden": 8, "classifier_dropout": 0.0, "ops": "reference"}
    model = Model(**{**small, **plain, **ARCHITECTURES[architecture]})
    network = architectures.build(model)
    if dtype != "float32":
        return Built(model, network, _build(architecture, "float32").variables)
    rngs = {"params": jax.random.key(0, impl="rbg"), "dropout": jax.random.key(1)}
    init = jax.jit(functools.partial(network.init, train=True))
    return Built(model, network, init(rngs, jnp.zeros((2, 16, 16, 1))))


@pytest.fixture(params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def build() -> Callable[..., Built]:
    """A function (architecture, dtype='float32') -> Built."""
    return lambda architecture, dtype="float32": _build(architecture, dtype)


@pytest.fixture
def spec() -> BlockSpec:
    return BlockSpec(reference, norm_groups=2)
