"""The network that comes with the package: whole, small, names nobody, and reads images."""

import json

import numpy as np
import pytest

import busjax
from busjax.data.readers.phantom import PhantomSource
from busjax.networks import packaged, places, portable

LARGEST = 8 * 10**6  # bytes


@pytest.fixture(scope="module")
def folder():
    return places.find(packaged.default())


def test_it_is_small_and_names_nobody(folder):
    assert packaged.names() == [packaged.default()]
    assert sum(path.stat().length for path in folder.iterdir()) <= LARGEST
    told = portable.content(folder)
    config = told["config"]
    assert not any(config[name] for name in config if name.endswith((".dir", ".groups", ".extra")))
    text = json.dumps(told) + (folder / "MODEL_CARD.md").read_text("utf-8")
    assert "/work" not in text
    assert "/home" not in text
    assert "bus_0" not in text  # an id of BUS-BRA
    assert told["licence"]


def test_its_card_tells_data_licences_scores_and_weaknesses(folder):
    card = (folder / "MODEL_CARD.md").read_text("utf-8")
    for said in ("no medical device", "CC BY 4.0", "Al-Dhabyani", "Zenodo 8231412", "Apache-2.0",
                 "BUSI: 450 images", "BUS-BRA: 1875 images", "## Scores", "## Known weaknesses",
                 "unseen"):  # fmt: skip
        assert said in card


def test_it_is_of_its_recipe(folder):
    recipe, own = busjax.config("pooled"), places.open_network(folder).config
    assert own.model.but(encoder_weights="imagenet") == recipe.model
    for section in ("augment", "loss", "optim", "inference"):
        assert getattr(own, section) == getattr(recipe, section)
    assert (own.data.image_size, own.data.fit) == (recipe.data.image_size, recipe.data.fit)


def test_it_reads_an_image_with_nothing_trained():
    image = PhantomSource(3, 0, 64)[1].image
    (reading,) = busjax.load()([image])
    assert reading.mask.shape == image.shape
    assert sum(reading.class_probabilities) == pytest.approx(1, abs=1e-5)
    assert np.isfinite(reading.mask_probability).all()
    assert reading.doubt.distance is not None
