"""Settings that all tests share."""

import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest
from etils import epath

from busjax.config import Config
from tests.small import SMALL

# Four virtual devices, so that one device is compared with several on any machine.
jax.config.update("jax_num_cpu_devices", 4)

# Nothing here runs long enough to be worth optimising; XLA's fusion emitters double the time to
# compile. A flag that a later XLA does not know would end the process.
jax.config.update("jax_disable_most_optimizations", True)
if jax.__version_info__ < (0, 12):
    _FLAGS = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_FLAGS}"

# All processes of a session, and those that they start, find the phantoms that one of them has
# made, and nothing that was there before.
if "PYTEST_XDIST_WORKER" not in os.environ:
    _KEPT = tempfile.TemporaryDirectory(prefix="busjax-test-kept-")
    os.environ["BUSJAX_CACHE"] = _KEPT.name

# Many tests build the same small network: each process compiles it once. JAX shares a folder among
# processes under a lock only, and then looks through all of it whenever it adds a program.
_CACHE = tempfile.TemporaryDirectory(prefix="busjax-test-cache-")
jax.config.update("jax_compilation_cache_dir", _CACHE.name)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@pytest.fixture
def config() -> Config:
    """The default configuration, with a network and images so small that tests are fast."""
    return Config().but(
        model={
            "width": 4,
            "depth": 2,
            "norm_groups": 2,
            "activation_slope": 0.1,
            "classifier_hidden": 8,
            "classifier_dropout": 0.0,
            "ops": "reference",
        },
        data={"image_size": 16, "source": "phantom", "phantom_count": 48},
        train={"batch_size": 8, "eval_batch_size": 8, "epochs": 2},
        parallel={"devices": 1},
    )


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def batch(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Eight images of 16 x 16 with a bright square as the lesion; the last class has none."""
    label = np.array([0, 1, 2, 0, 1, 2, 0, 1], np.int32)
    mask = np.zeros((8, 16, 16, 1), np.float32)
    for i in np.flatnonzero(label != 2):
        mask[i, 4 : 8 + 2 * label[i], 5:11] = 1.0
    image = np.clip(0.3 + 0.4 * mask + 0.1 * rng.standard_normal(mask.shape), 0, 1)
    return {
        "image": image.astype(np.float32),
        "mask": mask,
        "label": label,
        "valid": np.ones(8, np.float32),
        "index": np.arange(8, dtype=np.int32),
    }


@pytest.fixture(scope="session")
def train() -> Callable[[Config, Path], None]:
    """A function that trains and evaluates in a folder, without the warnings of tensorboardX."""
    from busjax import run

    def train(config: Config, folder: Path) -> None:
        with warnings.catch_warnings():
            # tensorboardX still calls what NumPy and protobuf deprecate.
            warnings.simplefilter("ignore", DeprecationWarning)
            run.train_and_evaluate(config, epath.Path(folder))

    return train


@pytest.fixture(scope="session")
def run_folder(
    tmp_path_factory: pytest.TempPathFactory, train: Callable[[Config, Path], None]
) -> Path:
    """A small trained run, not to be written to: two epochs on phantoms of 16 x 16 pixels."""
    config = Config().but(**SMALL).but(name="tiny", train={"epochs": 2})
    folder = tmp_path_factory.mktemp("shared") / "run"
    folder.mkdir()
    train(config, folder)
    return folder


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of a child process that runs busjax: it compiles little, and once."""
    fast = {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("cache")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "JAX_PLATFORMS": "cpu",
    }
    return {**os.environ, **fast}
