"""What values a field may take: a rule allows a value, or says what it must be."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

_LARGEST = 2**31 - 1  # fits whatever kind of integer a library keeps it in


@dataclasses.dataclass(frozen=True)
class OneOf:
    """One of a few values."""

    choices: tuple[Any, ...]

    def allows(self, value: Any) -> bool:
        return type(value) in {type(choice) for choice in self.choices} and value in self.choices

    def __str__(self) -> str:
        return "one of " + ", ".join(repr(choice) for choice in self.choices)


@dataclasses.dataclass(frozen=True)
class Whole:
    """A whole number in [low, high]."""

    low: int
    high: int = _LARGEST

    def allows(self, value: Any) -> bool:
        return type(value) is int and self.low <= value <= self.high

    def __str__(self) -> str:
        top = "or more" if self.high == _LARGEST else f"to {self.high}"
        return f"a whole number, {self.low} {top}"


@dataclasses.dataclass(frozen=True)
class Real:
    """A finite number between two ends, which count unless they are open."""

    low: float
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def allows(self, value: Any) -> bool:
        if type(value) not in (int, float) or not math.isfinite(value):
            return False
        above = value > self.low if self.open_low else value >= self.low
        return above and (value < self.high if self.open_high else value <= self.high)

    def __str__(self) -> str:
        opening = "(" if self.open_low else "["
        closing = ")" if self.open_high or math.isinf(self.high) else "]"
        return f"a number in {opening}{self.low:g}, {self.high:g}{closing}"


@dataclasses.dataclass(frozen=True)
class Text:
    """Any text, such as a path; whether the file is there is told by who opens it."""

    empty: bool = True

    def allows(self, value: Any) -> bool:
        return isinstance(value, str) and (self.empty or bool(value.strip()))

    def __str__(self) -> str:
        return "a text" if self.empty else "a text that is not empty"


@dataclasses.dataclass(frozen=True)
class SumOf:
    """Names joined by '+'."""

    names: tuple[str, ...]

    def allows(self, value: Any) -> bool:
        return isinstance(value, str) and not set(value.split("+")) - set(self.names)

    def __str__(self) -> str:
        return f"one or, joined by '+', several of {', '.join(self.names)}"


@dataclasses.dataclass(frozen=True)
class Indices:
    """Whole numbers from 0 on, joined by ',', none of them twice; or nothing."""

    def allows(self, value: Any) -> bool:
        if not isinstance(value, str):
            return False
        words = value.split(",") if value else []
        digits = all(word.isascii() and word.isdecimal() for word in words)
        return digits and len({int(word) for word in words}) == len(words)

    def __str__(self) -> str:
        return "whole numbers joined by ',', such as '0,3', or ''"


@dataclasses.dataclass(frozen=True)
class Ends:
    """Two finite numbers, the smaller one first, joined by ','; or nothing."""

    def allows(self, value: Any) -> bool:
        if not isinstance(value, str):
            return False
        try:
            low, high = self.parse(value) if value else (0.0, 1.0)
        except ValueError:
            return False
        return math.isfinite(low) and math.isfinite(high) and low < high

    @staticmethod
    def parse(value: str) -> tuple[float, float]:
        """The two numbers; ValueError where there are not two."""
        low, high = (float(part) for part in value.split(","))
        return low, high

    def __str__(self) -> str:
        return "two numbers, the smaller one first, such as '0,4095', or ''"


Rule = OneOf | Whole | Real | Text | SumOf | Indices | Ends

FLAG = OneOf((False, True))
PROBABILITY = Real(0, 1)
SHARE = Real(0, 1, open_high=True)  # 1 would leave nothing
PART = Real(0, 1, open_low=True, open_high=True)
NOT_NEGATIVE = Real(0)
POSITIVE = Whole(1)
