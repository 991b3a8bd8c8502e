"""Every configuration builds a network, and differs from the defaults only by known fields."""

from pathlib import Path

import pytest

from busjax import variants
from busjax.config.flags import settings
from busjax.models import architectures
from busjax.training.program import Program

FILES = sorted(
    path
    for path in (Path(__file__).parent.parent / "configs").glob("*.py")
    if path.name not in ("__init__.py", "base.py")
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_config(path):
    config = variants.variant(path.stem)
    assert config.name == path.stem  # names the run's default folder
    assert config.model.name in architectures.DECODERS
    defaults = variants.variant("base")
    for section, content in defaults.items():
        if section not in ("name", "seed"):
            assert set(config[section]) == set(content)
    assert settings(config).name == path.stem
    config.parallel.devices = 1
    Program(settings(config), 10)


def test_the_four_of_the_paper_are_there():
    assert {"unet", "gated_unet", "unetpp", "unetpp_refined"} <= {path.stem for path in FILES}
