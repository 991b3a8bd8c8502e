"""A trained network for images as they come: `busjax.load(RUN)`."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from busjax import compilation, components
from busjax.classes import CLASSES
from busjax.config import Config, Inference
from busjax.data import fitting
from busjax.data.fitting import Area
from busjax.data.pixels import parse_range
from busjax.errors import UserError
from busjax.evaluation import calibrate
from busjax.files import PathLike
from busjax.inference import doubt, lesions, suitability, views
from busjax.inference.doubt import Doubt
from busjax.inference.frame import Frame
from busjax.inference.images import of_any
from busjax.inference.lesions import Box
from busjax.inference.views import View
from busjax.models import architectures, prediction
from busjax.models.prediction import FLIPS, Ensemble, Prediction
from busjax.networks import packaged
from busjax.networks.ensemble import member_folders, members
from busjax.networks.places import open_network, settings

# Images at a time; the network is compiled once for each size that is used.
BATCH_SIZES = (1, 4, 16)


@dataclasses.dataclass(frozen=True)
class _Said:
    """What the network says of a part of an image: mask (H, W), classes (3,), probabilities; the
    values of `Uncertainty` (5,), and features (C,)."""

    mask: np.ndarray
    classes: np.ndarray
    uncertainty: np.ndarray
    features: np.ndarray


@dataclasses.dataclass(frozen=True)
class Reading:
    """What the network says of an image of (H, W) pixels, after refinement.

    Attributes:
        mask: (H, W) bool, True inside a lesion, less the parts that `inference.largest` leaves out.
        mask_probability: (H, W) float32 in [0, 1].
        class_probabilities: (3,) float32, in the order of `CLASSES`, sum 1.
        boxes: a box for each connected part of the mask, largest first.
        views: the parts of the image that were read, each by itself; of several the probabilities
            are those of the most suspicious one.
        doubt: what is left open, and whether nothing should be said of it.
    """

    mask: np.ndarray
    mask_probability: np.ndarray
    class_probabilities: np.ndarray
    boxes: tuple[Box, ...]
    views: tuple[View, ...]
    doubt: Doubt

    @property
    def class_name(self) -> str:
        """The most probable class."""
        return CLASSES[int(self.class_probabilities.argmax())]


class Predictor:
    """Reads images with the best checkpoint of a run, on the first device of this process.

    Attributes:
        config: that of the run.
        step: of the checkpoint.
        trained_on: 'source' ('busi', 'phantom', ...) and 'description' of its images.
        image_size: pixels a side that the network sees.
        grey_range: the levels that are black and white where the type of an image does not say it.
        abstention: when it says 'I do not know'; None: it does not know it.
        ensemble: the variables of its flax module, and their calibration.
        compute: jitted, maps ensemble and images (b, S, S, C) to a `models.prediction.Prediction`;
            where they are padded it takes `inside` (b, S, S, 1) as well.
    """

    def __init__(self, network: PathLike, *others: PathLike, **inference: Any) -> None:
        """Opens a trained network, on a disk or in a bucket; nothing is written to it.

        Args:
            network: the folder of a run, one that was handed over, or the name of a packaged one.
            others: networks of the same kind, whose probabilities are averaged with its own.
            inference: fields of `config.inference`, or `refine`, to be others than the run's.

        Raises:
            UserError: there is no network or another one, or it is damaged; a value that a field
                cannot take; threshold or temperature that were never fitted.
        """
        compilation.keep()
        self.config = _with(settings(network), inference)
        trained = open_network(network, self.config)
        further = (*others, *member_folders(self.config.inference))
        self._networks = trained, *members(self.config, further)
        self.ensemble = Ensemble(
            tuple(each.variables for each in self._networks),
            calibrate.asked(self.config.inference, trained.fitted, network),
        )
        self.step = trained.step
        self.abstention = trained.abstention
        self.trained_on: dict[str, str] = trained.trained_on.summary()
        self.image_size: int = self.config.data.image_size
        self.grey_range = parse_range(
            self.config.inference.grey_range or self.config.data.grey_range
        )
        module = architectures.build(self.config.model)
        self.compute = jax.jit(
            functools.partial(
                prediction.predict,
                module,
                flips=self.config.inference.flips,
                refinement=self.config.model.refine,
            )
        )

    @property
    def digests(self) -> tuple[str, ...]:
        """SHA-256 of the weights of every member, its own first."""
        return tuple(each.digest for each in self._networks)

    def __call__(self, images: Any) -> Any:
        """Reads one image, or several of any sizes and kinds.

        Args:
            images: an array (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA, of NumPy or JAX; uint8,
                uint16 or float in [0, 1], other types with `inference.grey_range`; a Pillow image;
                the path of a file of one frame, or its content as bytes; or a list of such. They
                are resized as in training; `inference.crop` says which part of them.

        Returns:
            A `Reading`, or a list of them.

        Raises:
            UserError: what is given is no image.
        """
        if isinstance(images, list | tuple):
            return self.read([of_any(image, self.grey_range) for image in images])
        return self.read([of_any(images, self.grey_range)])[0]

    def read(self, frames: Sequence[Frame]) -> list[Reading]:
        """Reads frames, as `inference.images.read` gives them; see `__call__`."""
        crop = self.config.inference.crop
        found = [views.find(frame.pixels, frame.tissue, crop) for frame in frames]
        pairs = list(zip(frames, found, strict=True))
        said = iter(self._said([view.of(frame.pixels) for frame, parts in pairs for view in parts]))
        return [self._reading(frame, parts, [next(said) for _ in parts]) for frame, parts in pairs]

    def _said(self, pixels: list[np.ndarray]) -> Iterator[_Said]:
        """What the network says of each picture, the mask in the picture's own size."""
        for start, size in _batches(len(pixels)):
            part = pixels[start : start + size]
            side, fit = self.image_size, self.config.data.fit
            areas = [fitting.place(image.shape, side, fit) for image in part]
            found = self._predict(part, areas, size)
            unsure = np.stack(jax.tree.leaves(found.uncertainty), -1)
            masks, classes, features = (
                np.asarray(x) for x in (found.mask[..., 0], found.classes, found.features)
            )
            for index, (image, area) in enumerate(zip(part, areas, strict=True)):
                mask = fitting.back(masks[index], area, *image.shape)
                drawn = np.clip(mask, 0, 1)
                yield _Said(drawn, classes[index], unsure[index], features[index])

    def _predict(self, pixels: list[np.ndarray], areas: list[Area], size: int) -> Prediction:
        """What is said of so many images, those that fill the batch last, as numpy arrays."""
        side, channels = self.image_size, self.config.model.image_channels
        batch = np.zeros((size, side, side, channels), np.float32)
        for slot, image, area in zip(batch, pixels, areas, strict=False):
            levels = fitting.fit_image(image, area, side).astype(np.float32)
            slot[:] = (levels / 255)[..., None]
        given = {}
        if self.config.data.fit == fitting.PAD:
            given["inside"] = np.zeros((size, side, side, 1), np.float32)
            for slot, area in zip(given["inside"], areas, strict=False):
                slot[:] = fitting.inside(area, side)[..., None]
        found: Prediction = jax.device_get(self.compute(self.ensemble, batch, **given))
        return found

    def _reading(self, frame: Frame, parts: Sequence[View], said: Sequence[_Said]) -> Reading:
        """Puts what was said of each view into the frame."""
        inference = self.config.inference
        probability = np.zeros(frame.pixels.shape, np.float32)
        for view, of_view in zip(parts, said, strict=True):
            view.of(probability)[:] = np.maximum(view.of(probability), of_view.mask)
        inside = components.largest(probability >= 0.5, inference.largest)
        classes = [each.classes for each in said]
        return Reading(
            inside,
            probability,
            classes[views.most_suspicious(classes)],
            tuple(box for box, _ in lesions.find(inside)),
            tuple(parts),
            doubt.of(
                np.stack([each.uncertainty for each in said]),
                np.stack([each.features for each in said]),
                self.abstention,
                inference.coverage,
                len(FLIPS[inference.flips]) * len(self._networks) == 1,
                suitability.objections(frame, parts),
            ),
        )


def load(network: PathLike | None = None, *others: PathLike, **inference: Any) -> Predictor:
    """Opens a trained network: `load(RUN)(image)` gives a `Reading`.

    `load()` opens the one that comes with busjax, and raises UserError where there is none.

    `load(RUN, OTHER, flips="horizontal")` averages with another run, and with flipped images; see
    `Predictor`.
    """
    return Predictor(packaged.default() if network is None else network, *others, **inference)


def _with(config: Config, inference: dict[str, Any]) -> Config:
    """The settings with other fields of the inference, 'refine' among them."""
    known = ("refine", *Inference.fields())
    for name in inference:
        if name not in known:
            raise UserError(f"{name} is no option of inference: choose among {', '.join(known)}")
    own = {"refine": config.model.refine, **inference}
    return config.but(model={"refine": own.pop("refine")}, inference=own)


def _batches(count: int) -> list[tuple[int, int]]:
    """Cuts so many images into batches of few sizes: (start, size), the last one padded.

    The largest size that the images fill; two or three are padded to four.
    """
    parts, start = [], 0
    while start < count:
        left = count - start
        filled = [size for size in BATCH_SIZES if size <= left]
        size = filled[-1] if left == 1 or len(filled) > 1 else BATCH_SIZES[1]
        parts.append((start, size))
        start += size
    return parts
