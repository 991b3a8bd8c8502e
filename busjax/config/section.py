"""A section of the settings: frozen, checked when it is made, each field told in one place."""

from __future__ import annotations

import dataclasses
import difflib
import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, TypeVar, dataclass_transform

from busjax.config.rules import Rule
from busjax.errors import UserError

_Value = TypeVar("_Value")


def setting(
    rule: Rule, meaning: str, *, default: _Value, free: bool = False, inference: bool = False
) -> _Value:
    """A field of a section.

    Args:
        rule: its range or choices.
        meaning: in words, with the unit.
        default: where nothing else is asked for.
        free: it changes where or how fast a run is computed, not what is computed.
        inference: an evaluation may set it otherwise than the training did.
    """
    metadata = {"rule": rule, "meaning": meaning, "free": free, "inference": inference}
    field: Any = dataclasses.field(default=default, metadata=metadata)
    return field  # type: ignore[no-any-return]


def misfit(name: str, value: Any, rule: Rule) -> Iterator[str]:
    """A clause, if the rule of the field of this dotted name does not allow the value."""
    if not rule.allows(value):
        yield f"config.{name}={value!r} must be {rule}"


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(setting,))
class Section:
    """A group of fields; a subclass is a frozen dataclass of `setting`s and other sections.

    Attributes:
        PLACE: its name within the whole, with a point at its end; '' for the whole.

    Raises:
        UserError: a field is out of its range, or does not fit another; all that is wrong is told.
        TypeError: there is no such field; the closest one is named.
    """

    PLACE: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)
        made = cls.__init__

        @functools.wraps(made)  # with its signature, which help() and editors show
        def init(self: Section, **values: Any) -> None:
            for name in values:
                if name not in cls.__dataclass_fields__:  # type: ignore[attr-defined]
                    raise TypeError(f"{cls.__name__} has no field '{name}'{cls.closest(name)}")
            made(self, **values)

        cls.__init__ = init  # type: ignore[method-assign, assignment]

    def __post_init__(self) -> None:
        if problems := [*self.out_of_range()] or [*self.contradictions()]:
            raise UserError("; ".join(problems))

    if not TYPE_CHECKING:  # it would hide wrong names from type checkers

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(f"{type(self).__name__} has no field '{name}'{self.closest(name)}")

    @classmethod
    def fields(cls) -> dict[str, dataclasses.Field[Any]]:
        """Its own fields by their names, without those of the sections within it."""
        return {f.name: f for f in dataclasses.fields(cls) if "rule" in f.metadata}  # type: ignore[arg-type]

    @classmethod
    def sections(cls) -> dict[str, type[Section]]:
        """The kinds of the sections within it, by name."""
        defaults = {f.name: f.default for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        return {name: type(value) for name, value in defaults.items() if isinstance(value, Section)}

    @classmethod
    def closest(cls, name: str) -> str:
        """The words that name the field most like this one, if one is."""
        names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
        return "".join(
            f"; did you mean '{one}'?" for one in difflib.get_close_matches(name, names, 1)
        )

    def out_of_range(self) -> Iterator[str]:
        """A clause for each value that its rule does not allow, or that is no such section."""
        for name, kind in self.sections().items():
            if not isinstance(getattr(self, name), kind):
                yield f"config.{self.PLACE}{name} must be a {kind.__name__}"
        for name, field in self.fields().items():
            yield from misfit(self.PLACE + name, getattr(self, name), field.metadata["rule"])

    def contradictions(self) -> Iterator[str]:
        """A clause for each pair of fields, each in its range, that do not fit together."""
        yield from ()

    def but(self, **changes: Any) -> Self:
        """The same section with other values of these fields, checked again.

        Of a section within it a mapping gives the fields that change:
        `config.but(seed=1, model={"width": 32})`.
        """
        for name in changes.keys() & self.sections().keys():
            if isinstance(changes[name], Mapping):
                changes[name] = getattr(self, name).but(**changes[name])
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]
