"""What is timed: a train step or a prediction of one network, by busjax and by its peers.

Libraries are imported where they are used: none waits for the imports of another.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from busjax.config import Config
from busjax.errors import UserError
from busjax.variants import load_variant

Call = Callable[[], object]


@dataclasses.dataclass(frozen=True)
class Subject:
    """One thing to time.

    Attributes:
        library: a key of `LIBRARIES`.
        task: 'train' or 'predict'.
        network: a variant of configs/.
        width: of its finest level; 0: that of the variant.
        dtype: of the activations, 'float32' or 'bfloat16'.
        side: pixels a side.
        batch: images at a time.
    """

    library: str
    task: str
    network: str
    width: int
    dtype: str
    side: int
    batch: int

    @property
    def config(self) -> Config:
        """The variant's configuration with this width, size and dtype, on one device."""
        config = load_variant(self.network)
        return config.but(
            model={
                "width": self.width or config.model.width,
                "dtype": self.dtype,
                "encoder_weights": "",
            },
            data={"image_size": self.side},
            train={"batch_size": self.batch},
            parallel={"devices": 1},
        )

    def lacks(self) -> str:
        """Why it cannot be timed here, or ''."""
        return LIBRARIES[self.library].lacks(self)

    def call(self) -> Call:
        """Builds the network with weights that are drawn; a call does it once, to the end."""
        library = LIBRARIES[self.library]
        return {"train": library.train, "predict": library.predict}[self.task](self)


def batch_of(subject: Subject) -> dict[str, np.ndarray]:
    """Images and masks that are drawn, as the pipeline gives them."""
    rng = np.random.default_rng(0)
    shape = (subject.batch, subject.side, subject.side, 1)
    grey = rng.random(shape, np.float32)
    return {
        "image": np.repeat(grey, subject.config.model.image_channels, axis=-1),
        "mask": (rng.random(shape) > 0.9).astype(np.float32),
        "label": (np.arange(subject.batch) % 3).astype(np.int32),
        "valid": np.ones(subject.batch, np.float32),
        "index": np.arange(subject.batch, dtype=np.int32),
    } | ({"inside": np.ones(shape, np.float32)} if subject.config.data.fit == "pad" else {})


def _ours_train(subject: Subject) -> Call:
    from busjax import compilation
    from busjax.training.program import Program

    compilation.keep()
    program = Program(subject.config, 1000)
    program.compile_ahead()
    batch, state = batch_of(subject), program.init_state()

    def step() -> float:
        nonlocal state
        state, losses = program.train_step(state, batch)
        return float(losses["loss"])

    return step


def _ours_predict(subject: Subject) -> Call:
    import jax

    from busjax import compilation
    from busjax.models import architectures, prediction

    compilation.keep()
    config, image = subject.config, batch_of(subject)["image"]
    network = architectures.build(config.model)
    ensemble = jax.device_put(_drawn(config))
    refinement = config.model.refine
    predict = jax.jit(functools.partial(prediction.predict, network, refinement=refinement))
    return lambda: jax.device_get(predict(ensemble, image))


def _drawn(config: Config) -> Any:
    """A network of noise, as an ensemble of one; nothing is compiled for it."""
    import jax

    from busjax.models import architectures
    from busjax.models.prediction import Ensemble

    side = config.data.image_size
    image = jax.ShapeDtypeStruct((1, side, side, config.model.image_channels), np.float32)
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    init = functools.partial(architectures.build(config.model).init, train=True)
    rng = np.random.default_rng(0)

    def draw(shape: tuple[int, ...]) -> np.ndarray:
        noise = rng.standard_normal(shape, np.float32)
        return 0.05 * noise if len(shape) > 1 else np.abs(noise) + 0.1

    shapes = jax.eval_shape(init, keys, image)
    return Ensemble((jax.tree.map(lambda v: draw(v.shape), dict(shapes)),))


def _torch_train(subject: Subject) -> Call:
    from busjax.benchmark.peers import steps

    return steps.trainer(subject.config, batch_of(subject))


def _torch_predict(subject: Subject) -> Call:
    from busjax.benchmark.peers import steps

    return steps.predictor(subject.config, batch_of(subject)["image"])


def _torch_lacks(subject: Subject) -> str:
    if not importlib.util.find_spec("torch"):
        return "PyTorch is not installed (pip install torch)"
    from busjax.benchmark.peers import network

    if network.describes(subject.config.model):
        return ""
    return f"PyTorch: there is no peer of {subject.network}"


def _onnx_predict(subject: Subject) -> Call:
    from busjax.inference.export import convert

    config, image = subject.config, batch_of(subject)["image"]
    network = convert.network_of(config, _drawn(config), "portable")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        convert.FORMATS["onnx"][1](network, subject.side, {}, path)
        session = convert.run_onnx(path.read_bytes())
    return lambda: session(image[..., :1])


def _onnx_lacks(subject: Subject) -> str:
    if subject.task != "predict" or subject.dtype != "float32":
        return "ONNX Runtime is timed for predictions in float32 alone"
    if all(importlib.util.find_spec(name) for name in ("onnxruntime", "jax2onnx")):
        return ""
    return "ONNX Runtime or its converter is not installed (pip install -e '.[onnx]')"


def _no_training(subject: Subject) -> Call:
    raise UserError(f"{subject.library} trains nothing")


@dataclasses.dataclass(frozen=True)
class Library:
    """How a library trains and predicts.

    Attributes:
        train, predict: build the call of a subject.
        lacks: why a subject cannot be timed, or ''.
    """

    train: Callable[[Subject], Call]
    predict: Callable[[Subject], Call]
    lacks: Callable[[Subject], str]


LIBRARIES = {
    "busjax": Library(_ours_train, _ours_predict, lambda subject: ""),
    "PyTorch": Library(_torch_train, _torch_predict, _torch_lacks),
    "ONNX Runtime": Library(_no_training, _onnx_predict, _onnx_lacks),
}
