"""The train step and the evaluation step: pure functions, written for one device.

They are mapped over the devices by `busjax.training.parallel`; what crosses devices goes through
collectives over `AXIS`.
"""

from __future__ import annotations

import functools
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from busjax.models import prediction
from busjax.models.network import MultiTaskNet, Outputs
from busjax.models.prediction import Ensemble
from busjax.ops.interface import Array
from busjax.training import flat, losses, optim

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
    def evaluated(self) -> Any:
        """The variables that evaluation uses: the averaged weights where there are any."""
        params = self.params["network"] if self.ema is None else self.ema
        return {"params": params.tree, "batch_stats": self.batch_stats}


def init_variables(network: MultiTaskNet, config: ConfigDict) -> Any:
    """Draws the initial weights from `config.seed`: {'params', 'batch_stats'}."""
    size, channels = config.data.image_size, config.model.image_channels
    # XLA's own generator compiles five times faster than threefry for a tree of weights (20 s less
    # at the start on two cores); the weights are the same for a seed on one kind of backend.
    params_key, dropout_key = jax.random.split(jax.random.key(config.seed, impl="rbg"))
    rngs = {"params": params_key, "dropout": dropout_key}
    variables = network.init(rngs, jnp.zeros((1, size, size, channels)), train=True)
    return {"params": variables["params"], "batch_stats": variables.get("batch_stats", {})}


def init_state(
    variables: Any, config: ConfigDict, optimizer: optax.GradientTransformation
) -> TrainState:
    """The state at step 0 of a network that starts from these variables."""
    network = flat.flatten(variables["params"], optim.group_of)
    params: dict[str, Any] = {"network": network}
    if uncertainties := losses.initial_uncertainties(config.loss):
        params["uncertainties"] = uncertainties
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        batch_stats=variables["batch_stats"],
        opt_state=optimizer.init(params),
        # A copy: a donated state must not hold one buffer twice.
        ema=jax.tree.map(jnp.copy, network) if config.optim.ema_decay else None,
    )


def train_step(
    state: TrainState,
    batch: Batch,
    *,
    network: MultiTaskNet,
    config: ConfigDict,
    optimizer: optax.GradientTransformation,
) -> tuple[TrainState, dict[str, Array]]:
    """Takes one step on this device's share of a batch.

    The loss is the mean over the valid images of all devices and micro-batches; batch norm sees
    one micro-batch of all devices at a time.

    Args:
        batch: 'image' (b, H, W, C), 'mask' (b, H, W, 1), 'label' (b,), 'valid' (b,).

    Returns:
        The next state, and scalars by name: 'loss', its terms, 'accuracy'; the same everywhere.
        'finite' is 1, or 0 where the loss or the gradient is not finite: then only the step of the
        state has changed.
    """
    total = jnp.maximum(jax.lax.psum(batch["valid"].sum(), AXIS), 1.0)
    key = jax.random.fold_in(jax.random.key(config.seed), state.step)

    loss_fn = functools.partial(_loss_sums, network=network, loss=config.loss, total=total)
    params = flat.unflatten(state.params)

    def micro_step(carry: Any, part: tuple[Batch, Array]) -> tuple[Any, dict[str, Array]]:
        gradient, batch_stats = carry
        (_, (batch_stats, sums)), more = jax.value_and_grad(loss_fn, has_aux=True)(
            params, batch_stats, *part
        )
        more = flat.like(state.params, more)
        return (jax.tree.map(jnp.add, gradient, more), batch_stats), sums

    count = config.optim.micro_batches
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
    update = functools.partial(_update, optimizer=optimizer, ema_decay=config.optim.ema_decay)
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
    loss: ConfigDict,
    total: Array,
) -> tuple[Array, tuple[Any, dict[str, Array]]]:
    """This part's share of the loss, its images' sum over `total`, and the terms of it."""
    variables = {"params": params["network"], "batch_stats": batch_stats}
    outputs, updated = network.apply(
        variables, part["image"], train=True, rngs={"dropout": key}, mutable=["batch_stats"]
    )
    terms = _per_image(outputs, part, loss, params.get("uncertainties", {}))
    sums = {name: jnp.sum(term * part["valid"]) / total for name, term in terms.items()}
    return sums["loss"], (updated.get("batch_stats", {}), sums)


def eval_step(
    ensemble: Ensemble, batch: Batch, *, network: MultiTaskNet, config: ConfigDict
) -> Batch:
    """Evaluates this device's share of a batch; everything per image, padding included.

    Returns:
        'classes' (b, classes) and 'mask' (b, H, W), float32, probabilities as delivered; 'tp',
        'fp', 'fn', 'tn' (b,) int32, pixels at threshold 0.5; 'loss' and its terms, (b,) float32,
        of the first member on the image as it is, without learnt weights; 'valid' and 'index' of
        the batch as they came.
    """
    said = prediction.views(network, ensemble, batch["image"], config.inference.flips)
    found = prediction.delivered(network, said, ensemble.calibration)
    fixed = config.loss.copy_and_resolve_references()
    fixed.weighting = "fixed"
    return {
        "classes": found.classes,
        "mask": found.mask[..., 0],
        **_count_pixels(found.mask >= 0.5, batch["mask"] >= 0.5),
        **_per_image(said[0], batch, fixed, {}),
        "valid": batch["valid"],
        "index": batch["index"],
    }


def _per_image(
    outputs: Outputs, batch: Batch, loss: ConfigDict, uncertainties: Any
) -> dict[str, Array]:
    terms = losses.loss_terms(outputs, batch["mask"], batch["label"], loss)
    correct = jnp.argmax(outputs.class_logits, -1) == batch["label"]
    return {
        "loss": losses.combine(terms, loss, uncertainties),
        **terms,
        "accuracy": correct.astype(jnp.float32),
    }


def _count_pixels(prediction: Array, target: Array) -> dict[str, Array]:
    pixels = {
        "tp": prediction & target,
        "fp": prediction & ~target,
        "fn": ~prediction & target,
        "tn": ~prediction & ~target,
    }
    return {name: jnp.sum(p, (1, 2, 3), dtype=jnp.int32) for name, p in pixels.items()}


def _update(
    state: TrainState,
    gradient: Any,
    batch_stats: Any,
    optimizer: optax.GradientTransformation,
    ema_decay: float,
) -> TrainState:
    updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    ema = state.ema
    if ema is not None:
        # The average starts short, so that the noise of the first weights is soon forgotten.
        decay = jnp.minimum(ema_decay, (1.0 + state.step) / (10.0 + state.step))
        ema = optax.incremental_update(params["network"], ema, 1.0 - decay)
    return TrainState(state.step + 1, params, batch_stats, opt_state, ema)
