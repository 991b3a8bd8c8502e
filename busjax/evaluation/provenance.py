"""Where a result comes from: what to know in order to make it again."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import importlib.metadata
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

import jax

from busjax.config import Config
from busjax.data.records import RecordSource
from busjax.models.architectures import activation_dtype
from busjax.networks.ensemble import member_folders
from busjax.networks.trained import TrainedOn

_PACKAGES = ("busjax", "jax", "flax", "optax", "orbax-checkpoint", "grain", "numpy")


def of(config: Config, trained_on: TrainedOn, source: RecordSource) -> dict[str, Any]:
    """Entries of a summary: data, settings, code and machine.

    Args:
        config: of the evaluation.
        trained_on: the images of the network that is evaluated.
        source: of the images that it is evaluated on.

    Returns:
        Words by name; 'split_digest' and 'ids_digest' are SHA-256 of the run's split and of the ids
        of the source in order, so that two results of the same images can be told from others.
    """
    return {
        "source": source.name,
        "description": source.description,
        "ids_digest": hashlib.sha256(json.dumps(sorted(source.ids)).encode()).hexdigest(),
        "split_digest": trained_on.split_digest,
        "config": config.name,
        "seed": config.seed,
        "refine": config.model.refine,
        "inference": _options(config),
        "dtype": str(activation_dtype(config.model.dtype)),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "jax": jax.__version__,
        "versions": _versions(),
        "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
    }


def _versions() -> str:
    """Of Python and the packages that a number may depend on."""
    versions = [f"python {platform.python_version()}"]
    for name in _PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:  # a checkout that was not installed
            continue
    return ", ".join(versions)


def _options(config: Config) -> str:
    """The options of the inference in words; of an ensemble its size, for its folders are many."""
    options = {
        **dataclasses.asdict(config.inference),
        "members": 1 + len(member_folders(config.inference)),
    }
    del options["crop"], options["grey_range"]  # which are for a prediction's images
    if options["grid"] == "network":  # as in every evaluation before there was a choice
        del options["grid"]
    return ", ".join(f"{name}={value}" for name, value in sorted(options.items()))


def _commit(package: Path = Path(__file__).parents[1]) -> str:
    """The commit of the checkout that the package runs from, with '+' where files differ.

    '' where it runs from no checkout of its own: a repository around an installed package, in whose
    virtual environment it lies, tells nothing of it.
    """
    root = package.parent
    if not (root / ".git").exists() or not (root / "configs").is_dir():
        return ""
    git = ["git", "-C", str(root), "describe", "--always", "--dirty=+"]
    try:
        tracked = [*git[:3], "ls-files", "--error-unmatch", str(package / "__init__.py")]
        subprocess.run(tracked, capture_output=True, check=True, timeout=10)
        done = subprocess.run(git, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
