"""A trained network as StableHLO or ONNX, checked against the original before it is kept."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath

from busjax import files
from busjax.classes import CLASSES
from busjax.config import Config
from busjax.data import fitting
from busjax.data.readers.phantom import PhantomSource
from busjax.errors import UserError
from busjax.files import PathLike
from busjax.inference import NOTE
from busjax.inference.export.handover import hand_over
from busjax.inference.predictor import Predictor, load
from busjax.models import architectures, prediction
from busjax.models.prediction import Ensemble
from busjax.networks import packaged
from busjax.networks.places import find
from busjax.runs import configuration, results

FOLDER = "export"
TOLERANCE = 1e-4
"""Largest difference of a probability from the network's that an exported file may have."""

OPSET = 18
"""Of ONNX: old enough for every ONNX Runtime since 1.14."""

_PLATFORMS = ("cpu", "cuda", "tpu")
_COMPARED = 6  # images

Network = Callable[..., tuple[Any, Any]]
"""Maps images (b, H, W, 1) float32 to mask (b, H, W, 1) and class (b, 3) probabilities.

One of images that are padded takes a second input of the same shape, `inside`.
"""


def export(place: PathLike, kind: str, out: epath.Path | None = None) -> tuple[epath.Path, float]:
    """Exports a trained network; returns the file and its largest difference.

    Args:
        place: the network, see `places.find`.
        kind: a key of `FORMATS`.
        out: folder of the file; None: 'export' in that of the network.

    Raises:
        UserError: there is no run, a package is missing, or the file does not agree with the
            network (then nothing is left).
    """
    workdir = find(place)
    predictor = load(workdir)
    network, reference = (
        network_of(predictor.config, predictor.ensemble, ops) for ops in ("portable", "reference")
    )
    size, facts = predictor.image_size, _facts(predictor)
    given = _inputs(predictor.config, _images(workdir, size))
    suffix, convert, run = FORMATS[kind]
    with tempfile.TemporaryDirectory() as temporary:
        local = Path(temporary) / f"model.{suffix}"
        convert(network, size, facts, local)
        difference = _difference(reference, run(local), given)
        if not difference <= TOLERANCE:
            raise UserError(
                f"the exported network differs from its original by {difference:.1e}, more than "
                f"{TOLERANCE:.0e}: nothing is exported; please report the configuration"
            )
        folder = out or _folder(workdir)
        folder.mkdir(parents=True, exist_ok=True)
        files.replace(folder / "model.json", (json.dumps(facts, indent=1) + "\n").encode())
        files.replace(folder / local.name, local.read_bytes())
    return folder / local.name, difference


def export_folder(
    place: PathLike,
    out: epath.Path | None,
    dtype: str = "float32",
    licence: str = "",
    notes: str = "",
) -> tuple[epath.Path, float]:
    """Writes a network to hand over; see `handover.hand_over`. Returns the folder and difference.

    Raises:
        UserError: as `handover.hand_over`.
    """
    workdir = find(place)
    config = configuration.read(workdir)
    folder = out or _folder(workdir) / config.name
    images = _images(workdir, config.data.image_size)
    return folder, hand_over(workdir, folder, images, dtype, licence, notes)


def _folder(workdir: epath.Path) -> epath.Path:
    if str(packaged.FOLDER) in str(workdir):
        raise UserError("a packaged network stays as it is: give a folder by --out")
    return workdir / FOLDER


def network_of(config: Config, ensemble: Ensemble, ops: str) -> Network:
    """The networks of a configuration in float32 and these operations, whatever trained them."""
    model = config.model.but(ops=ops, dtype="float32")
    built = architectures.build(model)

    def network(image: Any, inside: Any = None) -> tuple[Any, Any]:
        channels = jnp.repeat(image, model.image_channels, axis=-1)
        outputs = prediction.predict(
            built, ensemble, channels, config.inference.flips, model.refine, inside
        )
        return outputs.mask, outputs.classes

    # Converters count arguments: one that is not given must not be there.
    return network if config.data.fit == fitting.PAD else lambda image: network(image)


def _facts(predictor: Predictor) -> dict[str, Any]:
    return {
        "classes": list(CLASSES),
        "image_size": predictor.image_size,
        "fit": predictor.config.data.fit,
        "inputs": _named_inputs(predictor.config),
        "outputs": "mask_probability (b, H, W, 1), class_probabilities (b, 3), refined",
        "config": predictor.config.name,
        "refine": predictor.config.model.refine,
        "flips": predictor.config.inference.flips,
        "members": len(predictor.ensemble.members),
        "checkpoint_step": predictor.step,
        "trained_on": predictor.trained_on["description"],
        "busjax": metadata.version("busjax"),
        "note": NOTE,
    }


def _named_inputs(config: Config) -> dict[str, str]:
    """The inputs of an exported file, with what they hold."""
    size = config.data.image_size
    image = f"(b, {size}, {size}, 1) float32 in [0, 1]: grey levels / 255"
    if config.data.fit != fitting.PAD:
        return {"image": f"{image}, resized, proportions not kept"}
    return {
        "image": f"{image}, the longer side resized to {size}, in the middle of zeros",
        "inside": f"(b, {size}, {size}, 1) float32: 1 on the image, 0 around it",
    }


def _images(workdir: epath.Path, size: int) -> np.ndarray:
    """Test images of the run, else phantoms: (n, H, W, 1) float32 in [0, 1]."""
    try:
        pixels = results.read_predictions(workdir).image[:_COMPARED]
    except UserError:
        source = PhantomSource(_COMPARED, 0, size)
        pixels = np.stack([source[index].image for index in range(_COMPARED)])
    return pixels[..., None].astype(np.float32) / 255


def _inputs(config: Config, images: np.ndarray) -> dict[str, np.ndarray]:
    """What the network is given, by name, to compare on."""
    if config.data.fit != fitting.PAD:
        return {"image": images}
    size = images.shape[1]
    inside = fitting.inside(fitting.place((3, 4), size, fitting.PAD), size)
    whole = np.repeat(inside[None, ..., None].astype(np.float32), len(images), axis=0)
    return {"image": images * whole, "inside": whole}


def _difference(network: Network, exported: Network, given: dict[str, np.ndarray]) -> float:
    """The largest of all probabilities, in batches of one and of all images."""
    expected = jax.device_get(jax.jit(network)(*given.values()))
    largest = 0.0
    for batch in (slice(0, 1), slice(None)):
        said = exported(*(array[batch] for array in given.values()))
        for actual, wanted in zip(said, expected, strict=True):
            largest = max(largest, float(np.abs(np.asarray(actual) - wanted[batch]).max()))
    return largest


def _to_stablehlo(network: Network, size: int, facts: dict[str, Any], path: Path) -> None:
    (batch,) = jax.export.symbolic_shape("b")
    image = jax.ShapeDtypeStruct((batch, size, size, 1), jnp.float32)
    given = [image] * len(facts["inputs"])
    exported = jax.export.export(jax.jit(network), platforms=_PLATFORMS)(*given)
    path.write_bytes(exported.serialize())


def _run_stablehlo(path: Path) -> Network:
    return jax.export.deserialize(bytearray(path.read_bytes())).call


def _to_onnx(network: Network, size: int, facts: dict[str, Any], path: Path) -> None:
    with _needs_extra("onnx"):
        import onnx
        from jax2onnx import to_onnx
    with _quiet():
        model = to_onnx(
            network,
            [("b", size, size, 1)] * len(facts["inputs"]),
            model_name="busjax",
            opset=OPSET,
            input_names=list(facts["inputs"]),
            output_names=["mask_probability", "class_probabilities"],
        )
    for name, value in facts.items():
        model.metadata_props.add(key=name, value=value if isinstance(value, str) else str(value))
    onnx.save(model, os.fspath(path))


def _run_onnx(path: Path) -> Network:
    return run_onnx(path.read_bytes())


def run_onnx(model: bytes) -> Network:
    """An exported ONNX network as ONNX Runtime runs it on the CPU."""
    with _needs_extra("onnx"):
        import onnxruntime
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    return lambda *given: tuple(session.run(None, dict(zip(names, given, strict=True))))


@contextlib.contextmanager
def _needs_extra(name: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise UserError(f"this format needs pip install 'busjax[{name}]' ({error})") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the converter prints of each step, and logs of shapes that it leaves out."""
    logger = logging.getLogger("onnx_ir")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            yield
    finally:
        logger.setLevel(level)


FORMATS: dict[
    str,
    tuple[str, Callable[[Network, int, dict[str, Any], Path], None], Callable[[Path], Network]],
] = {
    "onnx": ("onnx", _to_onnx, _run_onnx),
    "stablehlo": ("stablehlo", _to_stablehlo, _run_stablehlo),
}
