"""Random changes of the training images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from busjax.config.rules import FLAG, PROBABILITY, Real
from busjax.config.section import Section, setting


class Augment(Section):
    PLACE: ClassVar[str] = "augment."

    enabled: bool = setting(FLAG, "False: images as they are", default=True)
    crop_normal: float = setting(
        PROBABILITY,
        "probability that a part without lesion, as a normal image, takes an image's place, where "
        "normal images are so few that they are known by their style",
        default=0.0,
    )
    crop_lesion: float = setting(
        PROBABILITY,
        "probability that a part with the lesion does, so that no size tells 'normal'",
        default=0.0,
    )
    erase_lesion: float = setting(
        PROBABILITY,
        "probability that tissue from beside the lesion covers it, as a normal image",
        default=0.0,
    )
    erase_beside: float = setting(
        PROBABILITY,
        "probability that tissue is covered likewise where no lesion is, so that nothing tells it",
        default=0.0,
    )
    flip_horizontal: float = setting(PROBABILITY, "probability", default=0.5)
    flip_vertical: float = setting(
        PROBABILITY, "probability; a B-mode image has an up and a down", default=0.0
    )
    affine: float = setting(
        PROBABILITY, "probability of one random affine map, drawn from the next four", default=0.8
    )
    rotate: float = setting(Real(0, 180), "degrees, at most, either way", default=15.0)
    scale: float = setting(Real(0, 4), "relative zoom, at most, in or out", default=0.15)
    shear: float = setting(Real(0, 80), "degrees, at most, either way", default=5.0)
    translate: float = setting(Real(0, 1), "of the image's side, at most, either way", default=0.08)
    elastic: float = setting(PROBABILITY, "probability of an elastic distortion", default=0.2)
    elastic_alpha: float = setting(
        Real(0, 1), "largest displacement, of the image's side", default=0.03
    )
    elastic_sigma: float = setting(
        Real(0.005, 1), "smoothness of the displacements, of the image's side", default=0.08
    )
    brightness: float = setting(
        Real(0, 1), "added grey level in [0, 1], at most, either way", default=0.1
    )
    contrast: float = setting(
        Real(0, 1), "relative change of contrast, at most, either way", default=0.2
    )
    gamma: float = setting(Real(0, 4), "|log gamma|, at most", default=0.2)
    speckle: float = setting(PROBABILITY, "probability of multiplicative noise", default=0.2)
    speckle_sigma: float = setting(Real(0, 4), "its standard deviation, at most", default=0.1)
    amplitudes: float = setting(
        PROBABILITY,
        "probability that low frequencies are mixed with those of another image",
        default=0.0,
    )
    histogram: float = setting(
        PROBABILITY, "probability that grey levels come nearer to another image's", default=0.0
    )
    overlay: float = setting(
        PROBABILITY, "probability of text, calipers, a ruler or a black border", default=0.0
    )
    blur: float = setting(PROBABILITY, "probability of a Gaussian blur", default=0.1)
    blur_sigma: float = setting(
        Real(0, 1), "its standard deviation, at most, of the image's side", default=0.008
    )

    def contradictions(self) -> Iterator[str]:
        if self.erase_lesion + self.erase_beside > 1:
            yield (
                f"config.augment.erase_lesion={self.erase_lesion} and config.augment.erase_beside="
                f"{self.erase_beside} are more than 1 together"
            )
        if self.crop_normal + self.crop_lesion > 1:
            yield (
                f"config.augment.crop_normal={self.crop_normal} and config.augment.crop_lesion="
                f"{self.crop_lesion} are probabilities of one choice: their sum must not exceed 1"
            )
