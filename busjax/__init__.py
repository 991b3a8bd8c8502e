"""busjax: multi-task learning on breast ultrasound (segmentation and classification) in JAX.

One network draws the tumour and names the class (benign, malignant, normal).

    config = busjax.config("unetpp", train={"epochs": 3})
    summary = busjax.train(config, "runs/mine")
    reading = busjax.load("runs/mine")(image)

JAX and all else that takes time is imported when it is first needed.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

if sys.platform == "win32":  # where Grain has no wheels, and files cannot be locked
    raise ImportError("busjax runs on Linux and macOS; on Windows use it within WSL")

# The package is bound to the name `busjax.config` here, once; from below on that is the function.
from busjax.config import Config

if TYPE_CHECKING:
    from busjax import metrics
    from busjax.data.audit.run import Audit
    from busjax.data.records import RecordSource
    from busjax.files import PathLike
    from busjax.inference.predictor import Predictor
    from busjax.training import losses
    from busjax.training.initialization import Built

    __version__: str

__all__ = [
    "Config",
    "__version__",
    "audit",
    "build",
    "config",
    "cross_validate",
    "evaluate",
    "load",
    "losses",
    "metrics",
    "open_dataset",
    "train",
]


def config(name: str = "base", **changes: Any) -> Config:  # type: ignore[no-redef]
    """The settings of a variant, with other values of some fields.

    `config("unetpp", seed=1, model={"width": 32})`; all fields: `help(busjax.Config)`.

    Args:
        name: of the variant, such as 'unetpp' or 'unet_lite0', or the path of a file like it.
        changes: as for `Config.but`.

    Raises:
        UserError: there is no such variant; a value out of its range.
        TypeError: there is no such field; the closest one is named.
    """
    from busjax.variants import load_variant

    return load_variant(name).but(**changes)


def train(config: Config, workdir: PathLike) -> dict[str, Any]:
    """Trains, or goes on where a run in the folder was cut off, and evaluates on the test split.

    Args:
        config: of the run.
        workdir: folder of the run, on a disk or in a bucket; made where it is missing.

    Returns:
        The entries of summary.json: scores by name, and where they come from.

    Raises:
        UserError: data, configuration and folder do not fit together.
    """
    from busjax import files, run

    return run.train_and_evaluate(config, files.make_folder(files.locate(workdir)))


def evaluate(workdir: PathLike, name: str = "", **changes: Any) -> dict[str, Any]:
    """Evaluates the best checkpoint of a run again.

    Args:
        workdir: folder of the run.
        name: of the evaluation, whose results are kept beside the run's own; '': in their place.
        changes: of the run's settings, as for `Config.but`, such as
            `inference={"flips": "both"}`; with `data={"dir": ...}` an external test.

    Returns:
        The entries of summary.json.

    Raises:
        UserError: there is no run, or it was trained otherwise.
    """
    from busjax import files, run
    from busjax.runs import configuration, results

    folder = files.locate(workdir)
    asked = f"{results.FOLDER}_{name}" if name else results.FOLDER
    return run.evaluate_only(configuration.read(folder).but(**changes), folder, asked)


def cross_validate(config: Config, workdir: PathLike) -> dict[str, Any] | None:
    """Trains and evaluates the folds that `config.cv.only` names, each where it was cut off.

    Args:
        config: of every fold.
        workdir: folder of the cross-validation; made where it is missing.

    Returns:
        The entries of crossval.json: of each score the mean over the folds and more; None while
        folds are missing.

    Raises:
        UserError: the folder holds something else; data, configuration and machine do not fit.
    """
    from busjax import crossval, files

    return crossval.cross_validate(config, files.make_folder(files.locate(workdir)))


def build(name: str = "unet", *, image_size: int = 128, seed: int = 0, **model: Any) -> Built:
    """A network and its variables: `network, variables = build("unetpp", width=8)`.

    `network.apply(variables, image)` gives `Outputs` for images (B, H, W, 1) float32 in [0, 1].

    Args:
        name: of the architecture: 'unet', 'gated_unet' or 'unetpp'.
        image_size: pixels a side, for the check alone: any other size that fits can be read.
        seed: of what is drawn.
        model: other fields of `config.model`, such as encoder='efficientnet_lite0' and
            encoder_weights='imagenet' (extra 'pretrained').

    Raises:
        UserError: a value out of its range; weights that are missing or do not fit.
        TypeError: there is no such field.
    """
    from busjax.training import initialization

    fields = {"model": {"name": name, **model}, "data": {"image_size": image_size}, "seed": seed}
    return initialization.build(Config().but(**fields))


def load(run: PathLike | None = None, *others: PathLike, **inference: Any) -> Predictor:
    """Opens the best checkpoint of a run: `busjax.load(RUN)(image)` gives a `Reading`.

    Args:
        run: its folder, that of a network that was handed over, or the name of a packaged one;
            None: the one that comes with busjax.
        others: folders of runs of the same network, whose probabilities are averaged with its own.
        inference: fields of `config.inference` (flips, threshold, ...), or `refine`, to be others
            than the run's.

    Raises:
        UserError: a folder holds no run, or no checkpoint; a value that a field cannot take; busjax
            comes with no network.
    """
    from busjax.inference.predictor import load

    return load(run, *others, **inference)


def open_dataset(folder: PathLike = "", source: str = "auto", **data: Any) -> RecordSource:
    """The images of a folder as records: pixels, mask, class and group.

    Args:
        folder: of the set; '': $BUSI_DIR, else data/Dataset_BUSI_with_GT.
        source: the kind of set: 'auto' (BUSI, else phantoms), 'busi', 'table', 'tfds', 'phantom'.
        data: other fields of `config.data`, such as curation='audit' or
            table={"label": "Pathology"}.

    Raises:
        UserError: there is no such set, or a file of it is bad.
        TypeError: there is no such field.
    """
    from busjax.data import sources

    fields = {"dir": os.fspath(folder), "source": source, **data}
    return sources.open_source(Config().but(data=fields).data, os.getcwd())


def audit(source: RecordSource) -> Audit:
    """Looks for images of a set that are one, and for what else speaks against an image.

    `python -m busjax.data.audit FOLDER` does the same, keeps it and draws a page of it.

    Args:
        source: as `open_dataset` gives it.
    """
    from busjax.data.audit.run import audit

    return audit([source[index] for index in range(len(source))])


_LAZY = {"losses": "busjax.training.losses", "metrics": "busjax.metrics"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return importlib.import_module(_LAZY[name])
    if name == "__version__":
        from importlib import metadata

        return metadata.version("busjax")
    raise AttributeError(f"module 'busjax' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
