"""Attributes of a frame: in enhanced files they lie in its functional groups, or in shared ones."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any


def of_frame(dataset: Any, index: int, sequence: str, keyword: str) -> Any:
    """The value of an attribute for a frame; None where the file does not tell.

    Args:
        dataset: the file.
        index: of the frame, from 0.
        sequence: the functional group that may hold it, such as 'FrameVOILUTSequence'.
        keyword: of the attribute.
    """
    holder = group(dataset, index, sequence)
    value = None if holder is None else holder.get(keyword)
    return dataset.get(keyword) if value is None else value


def group(dataset: Any, index: int, sequence: str) -> Any:
    """The functional group of a frame, its own before the shared one; None: there is none."""
    frames = dataset.get("PerFrameFunctionalGroupsSequence") or []
    own = frames[index : index + 1]
    for groups in (*own, *(dataset.get("SharedFunctionalGroupsSequence") or [])):
        if items := groups.get(sequence):
            return items[0]
    return None


def first_number(value: Any) -> float | None:
    """The first number of an attribute of one or several; None: none, or not a finite one."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        value = next(iter(value), None)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
