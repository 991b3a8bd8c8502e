"""A small trained run that the tests of this folder share."""

import warnings

import pytest
from etils import epath

from busjax import run
from configs import base


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    """A run of two epochs on phantoms of 16 x 16 pixels."""
    config = base.get_config()
    config.name = "tiny"
    config.model.update({"width": 4, "depth": 1, "classifier_hidden": 8, "ops": "reference"})
    config.model.dtype = "float32"
    config.data.update({"image_size": 16, "source": "phantom", "phantom_count": 48})
    config.train.update({"batch_size": 8, "eval_batch_size": 8, "epochs": 2})
    config.parallel.devices = 1
    folder = tmp_path_factory.mktemp("inference") / "run"
    folder.mkdir()
    with warnings.catch_warnings():
        # tensorboardX still calls what NumPy and protobuf deprecate.
        warnings.simplefilter("ignore", DeprecationWarning)
        run.train_and_evaluate(config, epath.Path(folder))
    return folder
