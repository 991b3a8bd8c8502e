"""What the table of encoders counts; no test depends on a time."""

import pytest

from busjax.benchmark import encoders, train_step
from busjax.models.architectures import ENCODERS


@pytest.mark.parametrize("name", ["conv", "efficientnet_lite0"])
def test_arithmetic_grows_with_the_pixels(config, name):
    config = config.but(data={"image_size": 32})
    model = encoders.with_encoder(config, name).model
    small, large = (encoders.gigaflops(model, side) for side in (32, 64))
    assert 3.5 < large / small < 4.5  # products with the zeros around an image do not count
    assert encoders.parameters(model) > 1000


def test_a_convolution_counts_two_a_product(config):
    """The finest level of a network of one level: at least its two 3x3 convolutions."""
    config = config.but(model={"depth": 1, "width": 16})
    at_least = 2 * 64 * 64 * 9 * (1 * 16 + 16 * 16) / 1e9
    assert at_least < encoders.gigaflops(config.model, 64) < 10 * at_least


def test_every_encoder_is_timed(config, monkeypatch, capsys):
    monkeypatch.setattr(train_step, "load_variant", lambda path: config)
    few = {name: ENCODERS[name] for name in ("conv",)}
    monkeypatch.setattr(encoders.architectures, "ENCODERS", few)
    assert encoders.main(["--rounds=1"]) == 0
    assert capsys.readouterr().out.splitlines()[2].startswith("conv ")
