"""The size of a pixel in millimetres, only where a file tells it beyond doubt."""

from __future__ import annotations

from typing import Any

from busjax.inference.dicom.attributes import first_number, of_frame

_CENTIMETRES = 3  # of Physical Units X/Y Direction (0018,6024)
_SAME = 1e-3  # relative difference of two scales that are one


def of(dataset: Any, index: int) -> tuple[float, float] | None:
    """Height and width of a pixel of a frame in millimetres; None where they are not sure.

    From Pixel Spacing, its own or of the functional groups; else from the ultrasound regions, where
    all of those that are measured in centimetres have one scale.
    """
    given = of_frame(dataset, index, "PixelMeasuresSequence", "PixelSpacing")
    if given is not None:
        values = list(given) if not isinstance(given, (str, float, int)) else [given]
        numbers = [first_number(value) for value in values]
        if len(numbers) == 2 and all(number is not None and number > 0 for number in numbers):
            return numbers[0], numbers[1]  # type: ignore[return-value]
    scales = [_scale(region) for region in dataset.get("SequenceOfUltrasoundRegions") or []]
    known = [scale for scale in scales if scale is not None]
    if not known or any(_differ(known[0], scale) for scale in known):
        return None
    return known[0]


def _scale(region: Any) -> tuple[float, float] | None:
    """Of a region that has a place and is measured in centimetres both ways."""
    units = [first_number(region.get(f"PhysicalUnits{axis}Direction")) for axis in "XY"]
    place = [region.get(f"RegionLocation{end}") for end in ("MinX0", "MinY0", "MaxX1", "MaxY1")]
    height, width = (first_number(region.get(f"PhysicalDelta{axis}")) for axis in "YX")
    if units != [_CENTIMETRES] * 2 or None in place or not height or not width:
        return None
    return 10 * abs(height), 10 * abs(width)


def _differ(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return any(abs(a - b) > _SAME * a for a, b in zip(one, other, strict=True))
