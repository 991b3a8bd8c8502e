"""The size of a pixel in millimetres, only where a file tells it beyond doubt."""

from __future__ import annotations

from typing import Any

from busjax.inference.dicom.attributes import first_number, of_frame
from busjax.inference.frame import Region
from busjax.inference.views import View

_CENTIMETRES = 3  # of Physical Units X/Y Direction (0018,6024)


def common(regions: tuple[Region, ...]) -> tuple[float, float] | None:
    """The scale of all regions; None where they differ, or there is none."""
    scales = {region.spacing for region in regions}
    return scales.pop() if len(scales) == 1 else None


def of(dataset: Any, index: int) -> tuple[float, float] | None:
    """Height and width of any pixel of a frame in millimetres, from Pixel Spacing.

    Its own or of the functional groups; None where it is not two positive numbers.
    """
    given = of_frame(dataset, index, "PixelMeasuresSequence", "PixelSpacing")
    if given is None or isinstance(given, (str, float, int)):
        return None
    numbers = [first_number(value) for value in given]
    if len(numbers) != 2 or not all(number is not None and number > 0 for number in numbers):
        return None
    return numbers[0], numbers[1]  # type: ignore[return-value]


def regions(dataset: Any) -> tuple[Region, ...]:
    """The ultrasound regions that have a place and are measured in centimetres both ways."""
    found = (_region(item) for item in dataset.get("SequenceOfUltrasoundRegions") or [])
    return tuple(region for region in found if region is not None)


def tissue(dataset: Any) -> tuple[View, ...]:
    """The places of the ultrasound regions that show tissue in two dimensions."""
    items = dataset.get("SequenceOfUltrasoundRegions") or []
    places = [_place(item) for item in items if _shows_tissue(item)]
    return tuple(place for place in places if place is not None)


def _shows_tissue(item: Any) -> bool:
    """Spatial format 1: 2D; data type 1: tissue (PS3.3 C.8.5.5.1.1 and .2)."""
    return [first_number(item.get(name)) for name in ("RegionSpatialFormat", "RegionDataType")] == [
        1,
        1,
    ]


def _place(item: Any) -> View | None:
    names = ("MinX0", "MinY0", "MaxX1", "MaxY1")
    ends = [first_number(item.get(f"RegionLocation{name}")) for name in names]
    if None in ends:
        return None
    left, top, right, bottom = (int(end) for end in ends if end is not None)
    return View(left, top, right + 1, bottom + 1)  # the last pixel is part of it


def _region(item: Any) -> Region | None:
    units = [first_number(item.get(f"PhysicalUnits{axis}Direction")) for axis in "XY"]
    place = _place(item)
    height, width = (first_number(item.get(f"PhysicalDelta{axis}")) for axis in "YX")
    if units != [_CENTIMETRES] * 2 or place is None or not height or not width:
        return None
    spacing = 10 * abs(height), 10 * abs(width)
    return Region(place.left, place.top, place.right, place.bottom, spacing)
