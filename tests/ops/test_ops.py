"""Every operation of `cpu` against `reference`, and `reference` against values from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from busjax.ops import cpu, portable, reference, select
from busjax.ops.cpu import batch, convolution

# name: (operation on (ops, features, parameters), shapes of the images in, shapes of parameters).
# A feature that an operation gives out is projected on random numbers, so that one gradient
# checks all of its entries.
Case = tuple[
    Callable[[Any, list[Any], list[Any]], Any], list[tuple[int, ...]], list[tuple[int, ...]]
]


# Half the time of the default, for programs that run once.
_QUICK_COMPILATION = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
}


def _batch_norm(ops: Any, x: Any, p: list[Any], axis: str | None = None) -> Any:
    mean, square = ops.batch_moments(x)
    if axis is not None:
        mean, square = lax.pmean((mean, square), axis)
    scale = p[0] * lax.rsqrt(square - mean**2 + 1e-5)
    return ops.scale_shift_act(x, scale, p[1] - mean * scale, 0.0)


def _conv3x3(*images: tuple[int, ...], out: int) -> Case:
    channels = sum(image[-1] for image in images)
    return lambda ops, x, p: ops.conv3x3(tuple(x), p[0]), list(images), [(3, 3, channels, out)]


def _depthwise_conv(image: tuple[int, ...], size: int, stride: int) -> Case:
    kernel = (size, size, 1, image[-1])
    return lambda ops, x, p: ops.depthwise_conv(x[0], p[0], stride), [image], [kernel]


CASES: dict[str, Case] = {
    "conv3x3": _conv3x3((2, 8, 6, 16), out=8),
    "conv3x3 one channel": _conv3x3((2, 8, 8, 1), out=16),
    "conv3x3 to one channel": _conv3x3((2, 8, 8, 5), out=1),
    "conv3x3 odd": _conv3x3((1, 7, 9, 11), out=13),
    "conv3x3 several inputs": _conv3x3((2, 4, 4, 3), (2, 4, 4, 8), (2, 4, 4, 1), out=10),
    "conv3x3 one pixel": _conv3x3((2, 1, 1, 4), out=3),
    "conv1x1": (
        lambda ops, x, p: ops.conv1x1(tuple(x), p[0]),
        [(2, 5, 3, 8), (2, 5, 3, 3)],
        [(1, 1, 11, 6)],
    ),
    "conv1x1 to one channel": (
        lambda ops, x, p: ops.conv1x1(tuple(x), p[0]),
        [(1, 4, 4, 8)],
        [(1, 1, 8, 1)],
    ),
    "conv_transpose2x2": (
        lambda ops, x, p: ops.conv_transpose2x2(x[0], p[0]),
        [(2, 3, 5, 6)],
        [(2, 2, 6, 4)],
    ),
    "depthwise_conv 3": _depthwise_conv((2, 6, 8, 5), 3, stride=1),
    "depthwise_conv 5 odd": _depthwise_conv((1, 7, 9, 3), 5, stride=1),
    "depthwise_conv 3 stride 2": _depthwise_conv((2, 8, 6, 4), 3, stride=2),
    "depthwise_conv 3 stride 2 odd": _depthwise_conv((2, 7, 5, 4), 3, stride=2),
    "depthwise_conv 5 stride 2": _depthwise_conv((2, 8, 7, 3), 5, stride=2),
    "depthwise_conv one pixel": _depthwise_conv((2, 1, 1, 3), 5, stride=1),
    "add_bias": (lambda ops, x, p: ops.add_bias(x[0], p[0]), [(2, 5, 7, 3)], [(3,)]),
    "max_pool2x2": (lambda ops, x, p: ops.max_pool2x2(x[0]), [(2, 6, 8, 3)], []),
    "upsample2x": (lambda ops, x, p: ops.upsample2x(x[0]), [(2, 5, 4, 3)], []),
    "upsample2x one pixel": (lambda ops, x, p: ops.upsample2x(x[0]), [(2, 1, 1, 3)], []),
    "group_norm_act": (
        lambda ops, x, p: ops.group_norm_act(x[0], p[0], p[1], 4, 0.0, 1e-5),
        [(2, 16, 16, 12)],
        [(12,), (12,)],
    ),
    "group_norm_act odd": (
        lambda ops, x, p: ops.group_norm_act(x[0], p[0], p[1], 5, 0.1, 1e-5),
        [(1, 7, 11, 5)],
        [(5,), (5,)],
    ),
    "batch norm": (lambda ops, x, p: _batch_norm(ops, x[0], p), [(4, 16, 12, 6)], [(6,), (6,)]),
    "batch_moments": (lambda ops, x, p: ops.batch_moments(x[0]), [(3, 7, 5, 6)], []),
    "scale_shift_act": (
        lambda ops, x, p: ops.scale_shift_act(x[0], p[0], p[1], 0.1),
        [(2, 7, 5, 6)],
        [(6,), (6,)],
    ),
    "concatenate": (
        lambda ops, x, p: ops.concatenate(tuple(x)),
        [(2, 5, 4, 3), (2, 5, 4, 1)],
        [],
    ),
    "spatial_mean": (lambda ops, x, p: ops.spatial_mean(x[0]), [(2, 9, 11, 3)], []),
    "spatial_max": (lambda ops, x, p: ops.spatial_max(x[0]), [(2, 9, 11, 3)], []),
    "scale_channels": (
        lambda ops, x, p: ops.scale_channels(x[0], p[0]),
        [(2, 5, 7, 3)],
        [(2, 3)],
    ),
    "scale_channels by image": (
        lambda ops, x, p: ops.scale_channels(x[0], p[0]),
        [(2, 5, 7, 3)],
        [(2, 1)],
    ),
    "scale_pixels": (
        lambda ops, x, p: ops.scale_pixels(*x),
        [(2, 5, 7, 9), (2, 5, 7, 1)],
        [],
    ),
}


def _eighths(v: np.ndarray) -> jax.Array:
    """Rounds to multiples of 1/8: exact in bfloat16, and with ties for the poolings."""
    return jnp.asarray(np.round(v * 8) / 8, jnp.float32)


def _inputs(case: Case) -> tuple[list[jax.Array], list[jax.Array]]:
    _, images, parameters = case
    rng = np.random.default_rng(0)
    x = [_eighths(rng.normal(size=s)) for s in images]
    return x, [jnp.asarray(rng.normal(size=s), jnp.float32) for s in parameters]


def _value_and_gradients(ops: Any, case: Case, dtype: Any) -> list[np.ndarray]:
    """The operation's value and the gradients of a projection of it, in float32."""

    def operate(x: list[Any], p: list[Any]) -> tuple[Any, Any]:
        # The barriers round what goes in and out to the dtype, as in the midst of a network.
        features = lax.optimization_barrier([ops.load(image, dtype) for image in x])
        y = jax.tree.leaves(lax.optimization_barrier(case[0](ops, features, p)))
        y = [ops.unload(v) if v.ndim == 4 else v for v in y]
        return sum(jnp.vdot(v, _eighths(np.cos(np.arange(v.size))).reshape(v.shape)) for v in y), y

    step = jax.jit(
        jax.value_and_grad(operate, (0, 1), has_aux=True), compiler_options=_QUICK_COMPILATION
    )
    (_, value), gradients = step(*_inputs(case))
    return [np.asarray(v, np.float32) for v in jax.tree.leaves((value, gradients))]


def _error(got: np.ndarray, truth: np.ndarray) -> float:
    """Largest difference, relative to the largest value."""
    assert got.shape == truth.shape
    return float(np.abs(got - truth).max() / np.abs(truth).max())


@pytest.mark.parametrize("name", CASES)
def test_cpu_agrees_with_reference(name: str) -> None:
    truth = _value_and_gradients(reference, CASES[name], jnp.float32)
    for got, want in zip(_value_and_gradients(cpu, CASES[name], jnp.float32), truth, strict=True):
        assert _error(got, want) < 1e-5

    # In bfloat16 two correct results differ: neither may be much further from the truth.
    rounded = _value_and_gradients(reference, CASES[name], jnp.bfloat16)
    for got, other, want in zip(
        _value_and_gradients(cpu, CASES[name], jnp.bfloat16), rounded, truth, strict=True
    ):
        assert _error(got, want) <= 1.5 * _error(other, want) + 1e-5


def test_max_pool2x2_gives_the_gradient_to_the_first_of_equal_values() -> None:
    # One window a kind of tie; rows (0, 0), (0, 1), (1, 0), (1, 1) of it, and the one to choose.
    windows = [([1, 1, 1, 1], 0), ([0, 1, 1, 0], 1), ([0, 0, 1, 1], 2), ([0, 1, 0, 1], 1)]
    for values, first in windows:
        image = jnp.asarray(values, jnp.float32).reshape(1, 2, 2, 1)
        gradient = jax.grad(lambda x: cpu.unload(cpu.max_pool2x2(cpu.load(x, jnp.float32))).sum())
        assert gradient(image).ravel().tolist() == np.eye(4)[first].tolist()


def test_reference_group_norm_agrees_with_flax() -> None:
    (x,), (scale, bias) = _inputs(CASES["group_norm_act"])
    norm = nn.GroupNorm(num_groups=4, epsilon=1e-5, use_fast_variance=False)
    want = jnp.maximum(jnp.asarray(norm.apply({"params": {"scale": scale, "bias": bias}}, x)), 0)
    got = reference.group_norm_act(x, scale, bias, 4, 0.0, 1e-5)
    assert _error(np.asarray(got), np.asarray(want)) < 1e-6


def test_reference_transposed_convolution_agrees_with_flax() -> None:
    (x,), (kernel,) = _inputs(CASES["conv_transpose2x2"])
    convolution = nn.ConvTranspose(4, (2, 2), (2, 2), use_bias=False)
    # Flax turns the kernel by 180 degrees.
    want = convolution.apply({"params": {"kernel": kernel[::-1, ::-1]}}, x)
    got = reference.conv_transpose2x2(x, kernel)
    assert _error(np.asarray(got), np.asarray(want)) < 1e-6


def test_reference_convolution_is_centred_and_does_not_flip() -> None:
    image = jnp.zeros((1, 5, 5, 1)).at[0, 2, 2, 0].set(1.0)
    kernel = jnp.arange(9.0).reshape(3, 3, 1, 1)
    got = reference.conv3x3((image,), kernel)
    assert np.array_equal(got[0, 1:4, 1:4, 0], np.arange(9.0)[::-1].reshape(3, 3))


def test_select_takes_the_fast_operations_on_a_cpu() -> None:
    assert select("auto") is cpu
    assert select("reference") is reference


@pytest.fixture
def one_image_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "_CACHE_BYTES", 1)
    monkeypatch.setattr(convolution, "_MOST_BYTES", 1)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_conv3x3_one_image_at_a_time_agrees_with_all_at_once(
    dtype: Any, request: pytest.FixtureRequest
) -> None:
    case = CASES["conv3x3 several inputs"]
    want = _value_and_gradients(cpu, case, dtype)
    request.getfixturevalue("one_image_at_a_time")
    for got, expected in zip(_value_and_gradients(cpu, case, dtype), want, strict=True):
        assert _error(got, expected) < 1e-6


def test_a_loop_over_images_widens_no_whole_feature(one_image_at_a_time: None) -> None:
    x = jnp.zeros((5, 3, 8, 12), jnp.bfloat16)
    kernel = jnp.zeros((3, 3, 5, 7))

    def gradients(x: jax.Array, kernel: jax.Array) -> Any:
        y, pull_back = jax.vjp(lambda x, k: cpu.conv3x3((x,), k), x, kernel)
        return y, pull_back(y)

    text = jax.jit(gradients).lower(x, kernel).compile().as_text()
    assert "while" in text
    assert "u16[5,3,8,12]" in text
    assert "f32[5,3,8,12]" not in text
    assert "f32[7,3,8,12]" not in text


@pytest.mark.parametrize(
    ("images", "side", "dtype", "at_once"),
    [(6, 8, "float32", 2), (6, 8, "bfloat16", 3), (5, 8, "float32", 1), (4, 32, "float32", 1),
     (2, 8, "float32", 2)],
)  # fmt: skip
def test_a_batch_is_read_by_as_many_images_as_two_cores_hold(
    images: int, side: int, dtype: str, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch.processor, "cores", lambda: 2)
    monkeypatch.setattr(batch, "_CORE_BYTES", 8 * 8 * 4)
    image = jnp.arange(images * side * side, dtype=jnp.float32).reshape(images, side, side, 1)
    parts = []

    def function(part: jax.Array) -> dict[str, jax.Array]:
        parts.append(part.shape[0])
        return {"double": 2 * part, "mean": part.mean((1, 2))}

    found = cpu.map_batch(function, image, jnp.dtype(dtype))
    assert set(parts) == {at_once}
    np.testing.assert_array_equal(found["double"], 2 * image)
    np.testing.assert_allclose(found["mean"], image.mean((1, 2)), rtol=1e-6)


def test_batch_norm_over_two_devices_agrees_with_one() -> None:
    (x,), (scale, bias) = _inputs(CASES["batch norm"])

    def loss(x: jax.Array, scale: jax.Array, bias: jax.Array, axis: str | None) -> jax.Array:
        y = cpu.unload(_batch_norm(cpu, cpu.load(x, jnp.float32), [scale, bias], axis))
        return jnp.sum(y**3)

    def shard(x: jax.Array, scale: jax.Array, bias: jax.Array) -> tuple[jax.Array, ...]:
        dx, *dp = jax.grad(loss, (0, 1, 2))(x, scale, bias, "data")
        return dx, *lax.psum(dp, "data")

    mesh = Mesh(np.array(jax.devices()[:2]), ("data",))
    specs = (P("data"), P(), P())
    parallel = jax.shard_map(shard, mesh=mesh, in_specs=specs, out_specs=specs, check_vma=False)
    want = jax.jit(jax.grad(partial(loss, axis=None), (0, 1, 2)))(x, scale, bias)
    for got, expected in zip(jax.jit(parallel)(x, scale, bias), want, strict=True):
        assert _error(np.asarray(got), np.asarray(expected)) < 1e-5


def test_gradients_are_the_same_when_activations_are_recomputed() -> None:
    (x,), (scale, bias) = _inputs(CASES["group_norm_act"])
    kernel = jnp.ones((3, 3, 12, 12))

    def network(x: jax.Array, kernel: jax.Array, scale: jax.Array) -> jax.Array:
        y = cpu.max_pool2x2(cpu.conv3x3((cpu.load(x, jnp.float32),), kernel))
        return jnp.sum(cpu.group_norm_act(cpu.upsample2x(y), scale, bias, 4, 0.0, 1e-5) ** 2)

    want = jax.jit(jax.grad(network, (0, 1, 2)))(x, kernel, scale)
    got = jax.jit(jax.grad(jax.checkpoint(network), (0, 1, 2)))(x, kernel, scale)
    for g, expected in zip(got, want, strict=True):
        assert _error(np.asarray(g), np.asarray(expected)) < 1e-5


@pytest.mark.parametrize("shape", [(2, 6, 8, 3), (1, 1, 2, 1), (2, 7, 5, 4)])
@pytest.mark.parametrize("name", ["max_pool2x2", "upsample2x"])
def test_portable_operations_are_the_reference(name: str, shape: tuple[int, ...]) -> None:
    if name == "max_pool2x2" and min(shape[1:3]) < 2:
        shape = (1, 2, 2, 1)
    x = jnp.asarray(np.random.default_rng(0).standard_normal(shape), jnp.float32)
    got, want = getattr(portable, name)(x), getattr(reference, name)(x)
    assert got.shape == want.shape
    assert _error(np.asarray(got), np.asarray(want)) < 1e-6


@pytest.mark.parametrize("name", ["reference", "cpu", "portable"])
@pytest.mark.parametrize(("channels", "out"), [(3, 3), (8, 1)])
def test_sums_over_more_than_32768_pixels(
    name: str, channels: int, out: int, rng: np.random.Generator
) -> None:
    """jaxlib 0.10.2 computes a product with a small matrix wrongly from there on (jax issue 39103),
    where the rows are summed up after it; as XLA optimises for a user."""
    ops = {"reference": reference, "cpu": cpu, "portable": portable}[name]
    image = rng.random((1, 184, 184, channels), np.float32)
    kernel = rng.standard_normal((1, 1, channels, out)).astype(np.float32)

    def squares(image: Any, kernel: Any) -> Any:
        return jnp.square(ops.unload(ops.conv1x1((ops.load(image, jnp.float32),), kernel))).sum(-1)

    expected = np.square(image.astype(np.float64) @ kernel[0, 0]).sum(-1)
    jax.config.update("jax_disable_most_optimizations", False)
    try:
        found = jax.jit(squares)(image, kernel)
    finally:
        jax.config.update("jax_disable_most_optimizations", True)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
