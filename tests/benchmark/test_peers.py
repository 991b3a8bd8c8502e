"""The networks in PyTorch are ours: with our weights they say what ours say (extra 'peers')."""

import jax
import numpy as np
import pytest

from busjax.models import architectures
from busjax.training import losses
from busjax.training.hyperparameters import form_of, hyperparameters_of
from busjax.training.steps import classification_loss

torch = pytest.importorskip("torch", reason="needs the extra 'peers'")
from busjax.benchmark.peers import network as peers  # noqa: E402
from busjax.benchmark.peers import steps  # noqa: E402

SIDE = 32


def with_weights(net, variables):
    """Puts weights and statistics of ours into a network in PyTorch."""
    state = net.state_dict()
    given = {}
    for path, value in jax.tree_util.tree_leaves_with_path(variables["params"]):
        *names, last = (key.key for key in path)
        value = np.asarray(value)
        if names[-1].startswith("up_") and last == "kernel":
            value = value.transpose(2, 3, 0, 1)
        elif last == "kernel":
            value = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T
        name = {"kernel": "weight", "scale": "weight", "bias": "bias"}[last]
        given[".".join((*names, name))] = torch.from_numpy(value.copy())
    for path, value in jax.tree_util.tree_leaves_with_path(variables["batch_stats"]):
        *names, last = (key.key for key in path)
        name = {"mean": "running_mean", "variance": "running_var"}[last]
        given[".".join((*names, name))] = torch.from_numpy(np.array(value))
    assert given.keys() == {name for name in state if not name.endswith("num_batches_tracked")}
    net.load_state_dict(given, strict=False)
    return net


@pytest.fixture(params=["unet", "unetpp"])
def pair(request, config, rng):
    """Our network, its variables, drawn, and the same in PyTorch."""
    made = config.but(
        model={
            "name": request.param,
            "width": 4,
            "classifier_dropout": 0.0,
            "ops": "reference",
            "dtype": "float32",
        }
    )
    assert peers.describes(made.model)
    ours = architectures.build(made.model)
    image = np.zeros((1, SIDE, SIDE, 1), np.float32)
    drawn = jax.jit(lambda key: ours.init({"params": key, "dropout": key}, image, train=True))(
        jax.random.key(0)
    )
    variables = jax.tree.map(
        lambda v: np.asarray(v + 0.1 * rng.random(v.shape), np.float32), dict(drawn)
    )
    return made, ours, variables, with_weights(peers.MultiTaskNet(made.model), variables)


def _equal(found, expected):
    expected = np.asarray(expected)
    np.testing.assert_allclose(
        found.detach().numpy(), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max()
    )


def test_predictions_agree(pair, rng):
    _, ours, variables, theirs = pair
    image = rng.random((2, SIDE, SIDE, 1), np.float32)
    expected = jax.jit(lambda v, x: ours.apply(v, x, train=False))(variables, image)
    masks, classes = theirs.eval()(torch.from_numpy(image.transpose(0, 3, 1, 2)))
    assert len(masks) == 1
    _equal(masks[0].permute(0, 2, 3, 1), expected.mask_logits[0])
    _equal(classes, expected.class_logits)


def test_losses_in_training_agree(pair, rng):
    config, ours, variables, theirs = pair
    image = rng.random((3, SIDE, SIDE, 1), np.float32)
    mask = (rng.random((3, SIDE, SIDE, 1)) > 0.7).astype(np.float32)
    label = np.arange(3)

    def loss(variables, image):
        outputs, _ = ours.apply(
            variables,
            image,
            train=True,
            mutable=["batch_stats"],
            rngs={"dropout": jax.random.key(0)},
        )
        terms = losses.loss_terms(outputs, mask, label, classification_loss(form_of(config)))
        return losses.combine(terms, hyperparameters_of(config, 10).loss).mean()

    def as_torch(x):
        return torch.from_numpy(x.transpose(0, 3, 1, 2).copy())

    masks, classes = theirs.train()(as_torch(image))
    assert len(masks) == {"unet": 1, "unetpp": config.model.depth}[config.model.name]
    found = steps.loss_of(masks, classes, as_torch(mask), torch.from_numpy(label), config.loss)
    _equal(found, jax.jit(loss)(variables, image))


def test_a_step_learns(pair, rng):
    config, *_ = pair
    batch = {
        "image": rng.random((2, SIDE, SIDE, 1), np.float32),
        "mask": np.ones((2, SIDE, SIDE, 1), np.float32),
        "label": np.zeros(2, np.int32),
    }
    step = steps.trainer(config, batch)
    first = step()
    assert min(step() for _ in range(5)) < first
    mask, classes = steps.predictor(config, batch["image"])()
    assert mask.shape == (2, 1, SIDE, SIDE)
    np.testing.assert_allclose(classes.sum(-1), 1, rtol=1e-5)
