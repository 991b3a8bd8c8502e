"""Numbers as the pages write them."""

from __future__ import annotations

import math

UNDEFINED = "–"  # noqa: RUF001  (the dash is meant)


def number(value: float | None) -> str:
    """A score with three decimals, a count with none, a dash where it is undefined."""
    if value is None or math.isnan(value):
        return UNDEFINED
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def fact(value: object) -> str:
    """Anything else that is known of a run: four digits of a number, text as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
