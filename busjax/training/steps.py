"""The train step and the evaluation step: pure functions, written for one device.

They are mapped over the devices by `busjax.training.parallel`; what crosses devices goes through
collectives over `AXIS`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

import flax.struct
import jax
import jax.numpy as jnp
import optax

from busjax import flat
from busjax.models import prediction
from busjax.models.network import MultiTaskNet, Outputs
from busjax.models.prediction import Ensemble
from busjax.ops.interface import Array
from busjax.training import losses, optim
from busjax.training.hyperparameters import Form, Hyperparameters
from busjax.training.losses import LossWeights

AXIS = "data"
Batch = dict[str, Array]


@flax.struct.dataclass
class TrainState:
    """All that a step changes, the same on every device.

    Attributes:
        step: () int32, steps taken.
        params: {'network': `Flat`, 'uncertainties': ...}, float32; the second only where learnt.
        batch_stats: running statistics of the batch norms.
        opt_state: of the Optax chain.
        ema: moving average of `params['network']`, or None.
    """

    step: Array
    params: Any
    batch_stats: Any
    opt_state: Any
    ema: Any

    @property
    def weights(self) -> Any:
        """What evaluation uses, laid out as the state is: averaged where there is an average."""
        params = self.params["network"] if self.ema is None else self.ema
        return {"params": params, "batch_stats": self.batch_stats}

    @property
    def evaluated(self) -> Any:
        """The variables that evaluation uses, tensor by tensor."""
        return flat.unflatten(self.weights)


def init_variables(network: MultiTaskNet, seed: Array, shape: tuple[int, int, int]) -> Any:
    """Draws the initial weights for images of this shape: {'params', 'batch_stats'}."""
    # XLA's own generator compiles five times faster than threefry for a tree of weights (20 s less
    # at the start on two cores); the weights are the same for a seed on one kind of backend.
    params_key, dropout_key = jax.random.split(jax.random.key(seed, impl="rbg"))
    rngs = {"params": params_key, "dropout": dropout_key}
    variables = network.init(rngs, jnp.zeros((1, *shape)), train=True)
    return {"params": variables["params"], "batch_stats": variables.get("batch_stats", {})}


def init_state(variables: Any, numbers: Hyperparameters, *, form: Form) -> TrainState:
    """The state at step 0 of a network that starts from these variables."""
    network = flat.flatten(variables["params"], optim.group_of)
    params: dict[str, Any] = {"network": network}
    if form.learns_weights:
        params["uncertainties"] = losses.initial_uncertainties()
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        batch_stats=variables["batch_stats"],
        opt_state=optim.optimizer(form, numbers).init(params),
        # A copy: a donated state must not hold one buffer twice.
        ema=jax.tree.map(jnp.copy, network) if form.averages else None,
    )


def train_step(
    state: TrainState, numbers: Hyperparameters, batch: Batch, *, network: MultiTaskNet, form: Form
) -> tuple[TrainState, dict[str, Array]]:
    """Takes one step on this device's share of a batch.

    The loss is the mean over the valid images of all devices and micro-batches; batch norm sees
    one micro-batch of all devices at a time.

    Args:
        numbers: of the run; another one needs no other compiled step.
        batch: 'image' (b, H, W, C), 'mask' (b, H, W, 1), 'label' (b,), 'valid' (b,); where images
            are padded 'inside' (b, H, W, 1).

    Returns:
        The next state, and scalars by name: 'loss', its terms, 'accuracy'; the same everywhere.
        'finite' is 1, or 0 where the loss or the gradient is not finite: then only the step of the
        state has changed.
    """
    total = jnp.maximum(jax.lax.psum(batch["valid"].sum(), AXIS), 1.0)
    key = jax.random.fold_in(jax.random.key(numbers.seed), state.step)

    loss_fn = functools.partial(
        _loss_sums, network=network, form=form, weights=numbers.loss, total=total
    )
    params = flat.unflatten(state.params)

    def micro_step(carry: Any, part: tuple[Batch, Array]) -> tuple[Any, dict[str, Array]]:
        gradient, batch_stats = carry
        (_, (batch_stats, sums)), more = jax.value_and_grad(loss_fn, has_aux=True)(
            params, batch_stats, *part
        )
        more = flat.like(state.params, more)
        return (jax.tree.map(jnp.add, gradient, more), batch_stats), sums

    count = form.micro_batches
    nothing = jax.tree.map(jnp.zeros_like, state.params)
    if count == 1:
        (gradient, batch_stats), sums = micro_step((nothing, state.batch_stats), (batch, key))
    else:
        parts = jax.tree.map(lambda x: x.reshape(count, -1, *x.shape[1:]), batch)
        (gradient, batch_stats), stacked = jax.lax.scan(
            micro_step, (nothing, state.batch_stats), (parts, jax.random.split(key, count))
        )
        sums = jax.tree.map(lambda x: x.sum(0), stacked)
    gradient, sums = jax.lax.psum((gradient, sums), AXIS)
    finite = jnp.all(
        jnp.stack([jnp.isfinite(x).all() for x in (sums["loss"], *jax.tree.leaves(gradient))])
    )
    update = functools.partial(_update, form=form, numbers=numbers)
    # What is not finite is never taken over, whatever is done about it then. A branch: choosing
    # leaf by leaf (`jnp.where`) makes XLA:CPU compile four times as much, in twice the time.
    kept = jax.lax.cond(finite, update, lambda old, *_: old, state, gradient, batch_stats)
    return kept.replace(step=state.step + 1), {**sums, "finite": finite.astype(jnp.float32)}


def _loss_sums(
    params: Any,
    batch_stats: Any,
    part: Batch,
    key: Array,
    *,
    network: MultiTaskNet,
    form: Form,
    weights: LossWeights,
    total: Array,
) -> tuple[Array, tuple[Any, dict[str, Array]]]:
    """This part's share of the loss, its images' sum over `total`, and the terms of it."""
    variables = {"params": params["network"], "batch_stats": batch_stats}
    outputs, updated = network.apply(
        variables,
        part["image"],
        train=True,
        inside=part.get("inside"),
        rngs={"dropout": key},
        mutable=["batch_stats"],
    )
    terms = _per_image(outputs, part, form, weights, params.get("uncertainties", {}))
    sums = {name: jnp.sum(term * part["valid"]) / total for name, term in terms.items()}
    return sums["loss"], (updated.get("batch_stats", {}), sums)


def eval_step(
    ensemble: Ensemble, weights: LossWeights, batch: Batch, *, network: MultiTaskNet, form: Form
) -> Batch:
    """Evaluates this device's share of a batch; everything per image, padding included.

    Returns:
        'classes' (b, classes) and 'mask' (b, H, W), float32, probabilities as delivered; 'tp',
        'fp', 'fn', 'tn' (b,) int32, pixels at threshold 0.5; 'uncertainty' (b, 5) float32, the
        values of `Uncertainty` in its order, and 'features' (b, C) float32, as of a `Prediction`;
        'loss' and its terms, (b,) float32, of the first member on the image as it is, without
        learnt weights; 'valid' and 'index' of the batch as they came.
    """
    inside = batch.get("inside")
    outputs = prediction.augmented_outputs(network, ensemble, batch["image"], form.flips, inside)
    averaged = prediction.average(outputs, ensemble.calibration, form.model.refine, inside)
    return {
        "classes": averaged.classes,
        "mask": averaged.mask[..., 0],
        "uncertainty": jnp.stack(jax.tree.leaves(averaged.uncertainty), -1),
        "features": cast(Array, averaged.features),
        **_count_pixels(averaged.mask >= 0.5, batch["mask"] >= 0.5, inside),
        **_per_image(outputs[0], batch, form, weights, {}),
        "valid": batch["valid"],
        "index": batch["index"],
    }


def _per_image(
    outputs: Outputs, batch: Batch, form: Form, weights: LossWeights, uncertainties: Any
) -> dict[str, Array]:
    terms = losses.loss_terms(
        outputs, batch["mask"], batch["label"], classification_loss(form), batch.get("inside")
    )
    correct = jnp.argmax(outputs.class_logits, -1) == batch["label"]
    return {
        "loss": losses.combine(terms, weights, uncertainties),
        **terms,
        "accuracy": correct.astype(jnp.float32),
    }


def classification_loss(form: Form) -> Callable[[Array, Array], Array]:
    """The loss of the class, from logits and label."""
    smoothing = form.label_smoothing
    if form.classifier == "focal":
        return functools.partial(losses.focal_loss, gamma=form.focal_gamma, smoothing=smoothing)
    return functools.partial(losses.cross_entropy, smoothing=smoothing)


def _count_pixels(prediction: Array, target: Array, inside: Array | None) -> dict[str, Array]:
    pixels = {
        "tp": prediction & target,
        "fp": prediction & ~target,
        "fn": ~prediction & target,
        "tn": ~prediction & ~target,
    }
    if inside is not None:
        pixels = {name: counted & (inside > 0) for name, counted in pixels.items()}
    return {name: jnp.sum(p, (1, 2, 3), dtype=jnp.int32) for name, p in pixels.items()}


def _update(
    state: TrainState,
    gradient: Any,
    batch_stats: Any,
    form: Form,
    numbers: Hyperparameters,
) -> TrainState:
    optimizer = optim.optimizer(form, numbers)
    updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    ema = state.ema
    if ema is not None:
        # The average starts short, so that the noise of the first weights is soon forgotten.
        decay = jnp.minimum(numbers.ema_decay, (1.0 + state.step) / (10.0 + state.step))
        ema = optax.incremental_update(params["network"], ema, 1.0 - decay)
    return TrainState(state.step + 1, params, batch_stats, opt_state, ema)
