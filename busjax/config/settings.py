"""All settings of a run, and their fields by dotted name, such as 'model.width'."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, TypeVar

from busjax.config.augment import Augment
from busjax.config.cross_validation import CrossValidation
from busjax.config.data import Data
from busjax.config.inference import Inference
from busjax.config.loss import Loss
from busjax.config.model import Model
from busjax.config.optim import Optim
from busjax.config.parallel import Parallel
from busjax.config.rules import Rule, Text, Whole
from busjax.config.section import Section, misfit, setting
from busjax.config.train import Train
from busjax.errors import UserError

_Kind = TypeVar("_Kind", bound=Section)


class Config(Section):
    """The settings of a run.

    Raises:
        UserError: fields that do not fit together.
    """

    name: str = setting(
        Text(empty=False), "names the run and its default folder, runs/<name>", default="base"
    )
    seed: int = setting(
        Whole(0), "initial weights, order of the data, augmentation, dropout", default=0
    )
    model: Model = Model()
    data: Data = Data()
    augment: Augment = Augment()
    loss: Loss = Loss()
    optim: Optim = Optim()
    train: Train = Train()
    cv: CrossValidation = CrossValidation()
    inference: Inference = Inference()
    parallel: Parallel = Parallel()

    def contradictions(self) -> Iterator[str]:
        size, depth = self.data.image_size, self.model.halvings
        step = 2**depth
        if size % step:
            yield (
                f"config.data.image_size={size} must be divisible by {step} for {depth} halvings: "
                f"the next size that fits is {-(-size // step) * step}"
            )

    @classmethod
    def from_flat(cls, values: Mapping[str, Any]) -> Self:
        """Settings of the value of every field by its dotted name.

        Raises:
            UserError: fields are missing, do not exist, are out of their range or do not fit
                together; all of them are named.
        """
        problems = [f"config.{name} is missing" for name in FIELDS if name not in values]
        problems += [f"config.{name} does not exist" for name in values if name not in FIELDS]
        for name, rule in FIELDS.items():
            problems += misfit(name, values[name], rule) if name in values else ()
        made = None if problems else _make(cls, values, problems)
        if made is None:
            raise UserError("; ".join(problems))
        return made

    def flat(self) -> dict[str, Any]:
        """The value of every field by its dotted name."""
        return flatten(dataclasses.asdict(self))


def _make(kind: type[_Kind], values: Mapping[str, Any], problems: list[str]) -> _Kind | None:
    """The section that these values make; none, and why in `found`, where they do not fit."""
    inner = {name: _make(part, values, problems) for name, part in kind.sections().items()}
    if None in inner.values():
        return None
    try:
        return kind(**{name: values[kind.PLACE + name] for name in kind.fields()}, **inner)
    except UserError as error:
        problems.append(str(error))
        return None


def _fields(section: type[Section]) -> dict[str, dataclasses.Field[Any]]:
    fields = {section.PLACE + name: field for name, field in section.fields().items()}
    for inner in section.sections().values():
        fields |= _fields(inner)
    return fields


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{'model': {'name': 'unet'}} -> {'model.name': 'unet'}."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        nested = isinstance(value, Mapping)
        flat |= flatten(value, f"{prefix}{name}.") if nested else {prefix + name: value}
    return flat


def differing(
    there: Mapping[str, Any], here: Mapping[str, Any], names: Iterable[str] | None = None
) -> list[str]:
    """What differs between two flat configurations, a phrase a field, in the order of names.

    Args:
        there: by name; so is `here`.
        names: of the fields that count; all by default. One that is missing counts as None.
    """
    return [
        f"config.{name} is {there.get(name)!r} there and {here.get(name)!r} here"
        for name in sorted(there.keys() | here.keys() if names is None else names)
        if there.get(name) != here.get(name)
    ]


_FIELDS = _fields(Config)
FIELDS: dict[str, Rule] = {name: field.metadata["rule"] for name, field in _FIELDS.items()}
"""Range or choices of every field."""

MEANINGS: dict[str, str] = {name: field.metadata["meaning"] for name, field in _FIELDS.items()}
"""What every field means, in words."""

PATHS = ("data.dir", "data.extra", "data.tfds_dir")
"""Folders, which may lie elsewhere on another machine."""

FREE = frozenset(name for name, field in _FIELDS.items() if field.metadata["free"])
"""Fields that change where or how fast a run is computed, not what is computed."""

INFERENCE = frozenset(name for name, field in _FIELDS.items() if field.metadata["inference"])
"""Fields that an evaluation may set otherwise than the training did."""
