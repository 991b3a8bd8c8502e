"""A network to hand over: a folder of weights, what they mean, and a model card.

model.safetensors   the weights, by name
abstention.safetensors  when it says 'I do not know', where that is known
model.json          network, pre-processing, classes, threshold and temperature, origin, scores
MODEL_CARD.md       the same for people
checksums.json      SHA-256 of these files: a byte that was changed is an error

It names no image and no folder of the machine that it comes from.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from etils import epath

from busjax import files
from busjax.classes import CLASSES
from busjax.config import Config, differing
from busjax.errors import UserError
from busjax.networks import abstention, calibration, tensors
from busjax.networks.trained import Trained, TrainedOn
from busjax.runs import checksums, configuration
from busjax.runs.checkpoint import NOT_OF_NETWORK

FILE, WEIGHTS = configuration.PORTABLE, "model.safetensors"
VERSION = 1

_PRIVATE = ("data.dir", "data.extra", "data.tfds_dir", "data.curation", "data.groups",
            "data.split_file", "train.init_from", "inference.members",
            "model.encoder_weights")  # fmt: skip


def exists(folder: epath.Path) -> bool:
    """Whether a folder holds a handed-over network."""
    return (folder / FILE).is_file()


def write(
    folder: epath.Path,
    trained: Trained,
    about: dict[str, Any],
    card: str,
    dtype: str = "float32",
) -> None:
    """Writes a network into a folder, whose files of the same names are replaced.

    Args:
        folder: made where it is missing.
        trained: the network.
        about: further entries of model.json: scores, licence, versions.
        card: the model card.
        dtype: of `tensors.DTYPES`, in which the weights are stored.
    """
    weights = tensors.to_bytes(trained.variables, dtype)
    entries = {
        "format": "busjax network",
        "version": VERSION,
        "name": trained.config.name,
        "classes": list(CLASSES),
        **_preprocessing(trained.config),
        "weights": {
            "file": WEIGHTS,
            "dtype": dtype,
            "sha256": hashlib.sha256(weights).hexdigest(),
            "digest": tensors.digest(tensors.from_bytes(weights)),  # as they are read back
        },
        "step": trained.step,
        "epoch": trained.epoch,
        "calibration": calibration.to_json(trained.fitted) if trained.fitted else None,
        "trained_on": dataclasses.asdict(trained.trained_on),
        **about,
        "config": _public(trained.config),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / checksums.FILE).unlink(missing_ok=True)  # what was cut off half way is damaged
    files.replace(folder / WEIGHTS, weights)
    (folder / abstention.FILE).unlink(missing_ok=True)
    if trained.abstention:
        abstention.save(folder, trained.abstention)
    files.replace(folder / FILE, (json.dumps(entries, indent=1) + "\n").encode())
    files.replace(folder / "MODEL_CARD.md", card.encode())
    checksums.write(folder)


def check_whole(folder: epath.Path) -> None:
    """Raises a UserError where a file of the network is missing or was changed."""
    if damage := checksums.damage(folder):
        raise UserError(f"the network in {folder} is damaged: {damage}; copy it again")


def read(folder: epath.Path, config: Config | None = None) -> Trained:
    """Reads a network that was handed over.

    Args:
        folder: as `write` left it.
        config: that asks; fields of the network must agree.

    Raises:
        UserError: a file is missing or was changed; a later version; another network.
    """
    check_whole(folder)
    told = content(folder)
    own = configuration.read(folder)
    if config is not None:
        _check_same_network(folder, own, config)
    fitted = told["calibration"]
    return Trained(
        place=folder,
        config=own,
        step=told["step"],
        epoch=told["epoch"],
        variables=tensors.from_bytes((folder / WEIGHTS).read_bytes()),
        fitted=calibration.from_json(fitted) if fitted else None,
        trained_on=trained_on(folder),
        abstention=abstention.read(folder),
    )


def trained_on(folder: epath.Path) -> TrainedOn:
    """The images that it was trained on."""
    saved = dict(content(folder)["trained_on"])
    if saved["digests"] is not None:
        saved["digests"] = {part: tuple(each) for part, each in saved["digests"].items()}
    return TrainedOn(**saved)


def content(folder: epath.Path) -> dict[str, Any]:
    """The entries of model.json.

    Raises:
        UserError: it cannot be read, or is of a later version.
    """
    try:
        entries = json.loads((folder / FILE).read_text(encoding="utf-8"))
        version = entries["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder / FILE} cannot be read ({error})") from error
    if version > VERSION:
        raise UserError(
            f"{folder / FILE} is of format {version}; this busjax reads {VERSION}: install a newer "
            "one"
        )
    return dict(entries)


def _preprocessing(config: Config) -> dict[str, Any]:
    size, channels = config.data.image_size, config.model.image_channels
    how = (
        f"the longer side resized to {size}, the rest of {size} x {size} black on both sides"
        if config.data.fit == "pad"
        else f"resized to {size} x {size}, proportions not kept"
    )
    repeated = "" if channels == 1 else ", repeated in three channels"
    return {
        "image_size": size,
        "image_channels": channels,
        "preprocessing": f"grey levels / 255, {how}, not cropped{repeated}; float32 in [0, 1]",
    }


def _public(config: Config) -> dict[str, Any]:
    """The settings, without what names folders, lists and other networks of the machine."""
    defaults = Config().flat()
    public = {**config.flat(), **{name: defaults[name] for name in _PRIVATE}}
    return dataclasses.asdict(Config.from_flat(public))


def _check_same_network(folder: epath.Path, own: Config, asked: Config) -> None:
    names = {name for name in own.flat() if name.startswith("model.")} - NOT_OF_NETWORK
    if changed := differing(own.flat(), asked.flat(), names | {"data.image_size", "data.fit"}):
        raise UserError(f"the network in {folder} is another one: {', '.join(changed)}")
