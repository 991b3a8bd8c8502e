"""The machine that figures were measured on, in a line."""

from __future__ import annotations

import importlib.metadata
import os
import platform

from busjax import processor

_UNITS = {  # flags of the processor that decide about speed, the widest first
    "amx_bf16": "AMX-BF16",
    "avx512_bf16": "AVX-512-BF16",
    "avx512f": "AVX-512",
    "avx2": "AVX2",
}
_LIBRARIES = ("jax", "torch", "onnxruntime")
_LIMITS = ("XLA_FLAGS", "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY")


def describe() -> str:
    """Processor, cores, vector units, Python, libraries, and variables that hold units back."""
    parts = [_processor(), f"{processor.cores()} cores", f"Python {platform.python_version()}"]
    for name in _LIBRARIES:
        try:
            parts.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    parts += [f"{name}={os.environ[name]}" for name in _LIMITS if os.environ.get(name)]
    return ", ".join(parts)


def _processor() -> str:
    name = processor.fields().get("model name") or platform.processor() or platform.machine()
    units = [title for flag, title in _UNITS.items() if flag in processor.flags()]
    return f"{name} ({', '.join(units) or 'no units'})"
