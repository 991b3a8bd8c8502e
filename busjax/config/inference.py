"""How predictions are made of what the network says."""

from __future__ import annotations

from typing import ClassVar

from busjax.config.rules import Ends, OneOf, Real, Text, Whole
from busjax.config.section import Section, setting


class Inference(Section):
    PLACE: ClassVar[str] = "inference."

    flips: str = setting(
        OneOf(("none", "horizontal", "both")),
        "views that are averaged: 1, 2 or 4",
        default="none",
        inference=True,
    )
    members: str = setting(
        Text(),
        "folders of runs, joined by ',', whose probabilities are averaged with",
        default="",
        inference=True,
    )
    threshold: str = setting(
        OneOf(("fixed", "validation")),
        "of the mask: 0.5, or that of highest Dice on validation",
        default="fixed",
        inference=True,
    )
    temperature: str = setting(
        OneOf(("none", "validation")),
        "of the class: 1, or that of highest likelihood on validation",
        default="none",
        inference=True,
    )
    crop: str = setting(
        OneOf(("none", "regions", "scan")),
        "what is read of a frame; regions: of tissue, where DICOM tells them; scan: those, or else "
        "the scanned area found in the pixels; each view by itself. Data sets are not cropped",
        default="regions",
        inference=True,
    )
    grid: str = setting(
        OneOf(("network", "image")),
        "pixels in which an evaluation compares masks; network: image_size a side; image: those of "
        "the original image, to which the mask is resized, as a prediction delivers it",
        default="network",
        inference=True,
    )
    grey_range: str = setting(
        Ends(),
        "as data.grey_range, for the images that are given; '': as data.grey_range",
        default="",
        inference=True,
    )
    coverage: float = setting(
        Real(0, 1, open_low=True),
        "share of the validation images of which the network is sure enough; of an image that is "
        "more doubtful than those, or unlike all of them, it says 'I do not know'",
        default=0.9,
        inference=True,
    )
    largest: int = setting(
        Whole(0),
        "connected parts of the mask that are kept, largest first; 0: all",
        default=0,
        inference=True,
    )
