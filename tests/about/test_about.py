"""`busjax info` and `busjax show`: what they say is so."""

import io
import json
from importlib import metadata

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from PIL import Image

from busjax import compilation, variants
from busjax.about import batch, cost, info, show
from busjax.command_line import take_config
from busjax.config import Config
from tests.small import SMALL


def small(**changes):
    return Config().but(**SMALL).but(**changes)


def test_operations_are_those_counted_by_hand():
    """A 1x1 convolution: a product and a sum for each pixel, channel in and channel out."""
    image = jax.ShapeDtypeStruct((1, 8, 8, 3), jnp.float32)
    kernel = jax.ShapeDtypeStruct((1, 1, 3, 5), jnp.float32)

    def conv(image, kernel):
        return lax.conv_general_dilated(
            image, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    assert compilation.flops(conv, image, kernel) == 2 * 8 * 8 * 3 * 5


def test_parameters_are_those_of_the_network():
    config = small()
    told = cost.of_network(config)
    from busjax.models import architectures

    network = architectures.build(config.model)
    size = config.data.image_size
    params = network.init(jax.random.key(0), np.zeros((1, size, size, 1), np.float32))["params"]
    assert told.parts.keys() == params.keys()
    assert told.parameters == sum(leaf.size for leaf in jax.tree.leaves(params))
    assert told.flops > 2 * told.parameters  # each weight is used at several pixels


def test_fields_are_those_that_differ():
    config = Config().but(name="x", model={"width": 4})
    assert [line.split() for line in show.fields(config)[1:]] == [
        ["config.name", "'x'", "['base']"],
        ["config.model.width", "4", "[16]"],
    ]
    every = show.fields(config, every=True)[1:]
    assert len(every) == len(config.flat())
    assert [line.split()[1] for line in every if line.startswith("*")] == [
        "config.name",
        "config.model.width",
    ]


def flags(config):
    changed = {k: v for k, v in config.flat().items() if v != Config().flat()[k]}
    return ["--config=base", *(f"--config.{name}={value}" for name, value in changed.items())]


def test_the_command_shows_network_memory_and_batch(tmp_path, capsys):
    config = small()
    assert take_config(flags(config))[0] == config
    path = tmp_path / "batch.png"
    assert show.main([*flags(config), f"--batch={path}"]) == 0
    out = capsys.readouterr().out
    told = cost.of_network(config)
    assert f"  {told.parameters:,}: " in out
    # Weights, two moments, moving average: four numbers of four bytes for each parameter.
    megabytes = 16 * told.parameters / 1e6
    assert f"average   {megabytes:.1f} MB" in out
    assert path.read_bytes().startswith(b"\x89PNG")


def test_the_picture_is_of_the_first_batch(monkeypatch):
    config = small(augment={"enabled": False})
    drawn = np.asarray(Image.open(io.BytesIO(batch.draw(config))).convert("RGB")).astype(int)
    turquoise = np.abs(drawn - (0x1F, 0xE0, 0xD0)).max(axis=-1) < 30
    assert turquoise.any()  # an annotation
    other = np.asarray(Image.open(io.BytesIO(batch.draw(config.but(seed=1)))).convert("RGB"))
    assert other.shape != drawn.shape or (other != drawn).any()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no configuration"),
        (
            ["--config=unet", "--config.data.source=busi", "--batch=b.png", "--quick"],
            "No BUSI data",
        ),
    ],
)
def test_one_clear_line(words, message, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BUSI_DIR", raising=False)
    assert show.main(words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_info_as_json_and_as_lines(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("BUSJAX_CACHE", str(tmp_path))
    (tmp_path / "xla").mkdir()
    (tmp_path / "xla" / "a").write_bytes(b"0" * 3_000_000)
    assert info.main(["--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["busjax"] == metadata.version("busjax")
    assert facts["devices"] == ["CPU"] * 4
    assert facts["ops"] == {"auto": "cpu", "reason": "JAX runs on the CPU"}
    assert facts["cache"]["megabytes"] == 3.0
    assert list(facts["configurations"]) == variants.names()
    assert info.main([]) == 0
    out = capsys.readouterr().out
    assert "4 x CPU" in out
    assert f"{tmp_path}, 3 MB" in out
    assert "unetpp          U-Net++ with a classifier and deep supervision" in out


@pytest.mark.parametrize(("flags", "dtype"), [("avx2 amx_bf16", "bfloat16"), ("avx2", "float32")])
def test_the_dtype_has_a_reason(monkeypatch, flags, dtype):
    from busjax.ops import hardware

    monkeypatch.setattr(info.processor, "flags", lambda: frozenset(flags.split()))
    hardware.has_fast_bfloat16.cache_clear()
    try:
        told = info.gather()["dtype"]
    finally:
        hardware.has_fast_bfloat16.cache_clear()
    assert told["auto"] == dtype
    assert ("amx_bf16" in told["reason"]) == (dtype == "bfloat16")
