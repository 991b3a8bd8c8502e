"""Records -> batches {image, mask, label, valid, index}, read ahead in threads by Grain."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import grain
import numpy as np

from busjax.classes import NORMAL
from busjax.config import Augment, Config, Data
from busjax.data import drawing_order, fitting
from busjax.data.augmentation import crops, style
from busjax.data.augmentation.transforms import augment
from busjax.data.fitting import Area
from busjax.data.records import RecordSource
from busjax.errors import UserError

Example = dict[str, np.ndarray]
"""One image, or b of them with a leading axis:

image: (H, W, C) float32 in [0, 1].
mask: (H, W, 1) float32, 0 or 1.
inside: (H, W, 1) float32, 1 on the image and 0 around it; with `config.data.fit=pad` alone.
label: () int32, index into `CLASSES`.
valid: () float32, 1; 0 for padding, which counts nowhere.
index: () int32, position within the ids that the batches were asked for.
"""


@dataclasses.dataclass(frozen=True)
class Shard:
    """The part of every batch that one process works on: number `index` of `count` equal ones."""

    index: int = 0
    count: int = 1

    def of(self, batch_size: int) -> int:
        """Returns the images of a batch in this part.

        Raises:
            UserError: the batch does not divide into equal parts.
        """
        if batch_size % self.count:
            raise UserError(
                f"a batch of {batch_size} images cannot be shared equally by {self.count} "
                "processes: choose a multiple of their number as batch size"
            )
        return batch_size // self.count


class Resized:
    """Images and masks of some ids, fitted once into a square and held in memory as uint8.

    Attributes:
        images: (N, size, size) uint8, grey levels in [0, 255].
        masks: (N, size, size) uint8, 0 or 1; a lesion never vanishes.
        labels: (N,) int32, indices into `CLASSES`.
        areas: of each image its place in the square.
    """

    def __init__(
        self, source: RecordSource, ids: Sequence[str], size: int, fit: str = fitting.STRETCH
    ) -> None:
        """Decodes and fits.

        Args:
            source: of the records.
            ids: of those to fit.
            size: pixels a side.
            fit: `config.data.fit`.

        Raises:
            UserError: an id that the source lacks.
        """
        positions = _positions(source, ids)
        self.images = np.empty((len(ids), size, size), np.uint8)
        self.masks = np.empty((len(ids), size, size), np.uint8)
        self.labels = np.asarray(source.labels, np.int32)[positions]
        self.areas = [fitting.place((size, size), size, fit)] * len(ids)
        self._fit = fit

        def fill(i: int) -> None:
            record = source[positions[i]]
            self.areas[i] = area = fitting.place(record.image.shape, size, fit)
            self.images[i] = fitting.fit_image(record.image, area, size)
            self.masks[i] = fitting.fit_mask(record.mask, area, size)

        with ThreadPoolExecutor() as pool:  # a phantom takes tens of milliseconds
            list(pool.map(fill, range(len(ids))))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Example:
        """Returns one image without channels: image and mask are (size, size), mask is uint8."""
        size = self.images.shape[-1]
        padded = self._fit == fitting.PAD
        return {
            "image": self.images[index].astype(np.float32) / 255,
            "mask": self.masks[index],
            **({"inside": fitting.inside(self.areas[index], size)} if padded else {}),
            "label": self.labels[index],
            "valid": np.float32(1),
            "index": np.int32(index),
        }


def train_batches(
    source: RecordSource, ids: Sequence[str], config: Config, shard: Shard
) -> grain.DatasetIterator[Example]:
    """Yields augmented batches without end; an epoch is each (repeated) image once, in new order.

    Batches run on across epochs: no image is dropped. The global batch, the processes' parts one
    after the other, depends on `config.seed` alone, not on the number of processes or threads. The
    iterator's `get_state` is ready for JSON, `set_state` goes on from there exactly, and `close`
    ends its threads.

    Args:
        source: the records; `ids` are those to train on.
        config: the whole configuration; the size of a batch is that of all processes together.
        shard: the part of every batch to yield.

    Raises:
        UserError: fewer images than a batch, a batch that the processes cannot share equally, ids
            that the source lacks.
    """
    batch_size = config.train.batch_size
    local_size = shard.of(batch_size)
    resized = Resized(source, ids, config.data.image_size, config.data.fit)
    order = drawing_order.epoch(resized.labels, config.data.oversample)
    if len(order) < batch_size:
        raise UserError(
            f"{len(order)} images to train on are fewer than a batch of {batch_size}:"
            " use more data or a smaller config.train.batch_size."
        )
    cv2.setNumThreads(0)  # Grain's threads are the parallelism; OpenCV's own would fight them
    # A part is cut from the stream of all examples, so that it is the same for any number of parts.
    of_set = getattr(source, "sets", None) or ("",) * len(source.ids)
    sets = np.array(of_set)[_positions(source, ids)]
    strata = drawing_order.strata(sets, resized.labels, config.data.balance)
    detailed = _detailed(source, ids, config)
    examples = _endless(resized, detailed, order, strata, config).batch(local_size)
    part = examples[shard.index :: shard.count]
    return iter(part.to_iter_dataset(_read_options(config.data)))


def _detailed(source: RecordSource, ids: Sequence[str], config: Config) -> Resized | None:
    """The images at twice the size, to take parts from; None where none are asked for."""
    asked = config.augment
    if not asked.enabled or not asked.crop_normal + asked.crop_lesion:
        return None
    return Resized(source, ids, 2 * config.data.image_size, config.data.fit)


def _endless(
    resized: Resized,
    detailed: Resized | None,
    order: np.ndarray,
    strata: np.ndarray,
    config: Config,
) -> grain.MapDataset[Example]:
    """Returns the augmented examples of all epochs; each is a function of seed and position.

    Args:
        resized: the images.
        detailed: the same to take parts from; None: they are shown whole.
        order: positions that make up an epoch.
        strata: of each position a number; they take turns, each in epochs of its own.
        config: the whole configuration.
    """
    size = config.data.image_size

    def augmented(example: Example, rng: np.random.Generator) -> Example:
        area = resized.areas[example["index"]]
        if detailed:
            example, area = _part(example, area, detailed, rng, config)
        image, mask = area.of(example["image"]), area.of(example["mask"])
        image = _in_manner(image, resized, rng, config.augment)
        # What lies around the image is none of it: it stays black, whatever is done to the image.
        changed = augment(image, mask, rng, config.augment)
        image, mask = (fitting.in_square(part, area, size) for part in changed)
        return _with_channels(
            {**example, "image": image, "mask": mask}, config.model.image_channels
        )

    # Grain seeds epoch e with seed + e: seeds that are neighbours would share their epochs.
    seeds = np.random.SeedSequence(config.seed).generate_state(2 + len(np.unique(strata))).tolist()
    shuffle_seed, augment_seed, *of_strata = seeds
    if len(of_strata) == 1:
        return (
            grain.MapDataset.source(order)
            .shuffle(seed=shuffle_seed)
            .map(resized.__getitem__)
            .random_map(augmented, seed=augment_seed)
            .repeat()
        )
    parts = [
        grain.MapDataset.source(order[strata == stratum]).shuffle(seed=seed).repeat()
        for stratum, seed in zip(np.unique(strata), of_strata, strict=True)
    ]
    mixed = grain.MapDataset.mix(parts, weights=[1] * len(parts))
    return mixed.map(resized.__getitem__).random_map(augmented, seed=augment_seed)


def _in_manner(
    image: np.ndarray, others: Resized, rng: np.random.Generator, config: Augment
) -> np.ndarray:
    """An image, now and then in the manner of another one of the training images."""
    for chance, change in (
        (config.amplitudes, style.mix_amplitudes),
        (config.histogram, style.match_histogram),
    ):
        if config.enabled and chance and rng.random() < chance:
            index = int(rng.integers(len(others)))
            other = others.areas[index].of(others.images[index]).astype(np.float32) / 255
            image = change(image, other, rng)
    return image


def _part(
    example: Example, area: Area, detailed: Resized, rng: np.random.Generator, config: Config
) -> tuple[Example, Area]:
    """What is shown of an image, and its place in the square."""
    index, size, fit = example["index"], config.data.image_size, config.data.fit
    whole = detailed.areas[index]
    image, mask = whole.of(detailed.images[index]), whole.of(detailed.masks[index])
    part, kind = crops.draw(mask, rng, config.augment)
    if kind == crops.WHOLE:
        return example, area
    area = fitting.place(part.shape, size, fit)
    shown: Example = {
        "image": fitting.fit_image(part.of(image), area, size).astype(np.float32) / 255,
        "mask": fitting.fit_mask(part.of(mask), area, size),
        **({"inside": fitting.inside(area, size)} if "inside" in example else {}),
    }
    if kind == crops.NORMAL_PART:
        shown["label"] = np.full_like(example["label"], NORMAL)
    return {**example, **shown}, area


def steps_per_epoch(source: RecordSource, ids: Sequence[str], data: Data, batch_size: int) -> int:
    """Returns the steps in which each (repeated) image of `ids` is seen at least once."""
    labels = np.asarray(source.labels)[_positions(source, ids)]
    return -(-len(drawing_order.epoch(labels, data.oversample)) // batch_size)


def eval_batches(resized: Resized, config: Config, shard: Shard) -> grain.IterDataset[Example]:
    """Returns the images in order, as they are; may be iterated any number of times.

    The last batch is padded with zeros (valid = 0), and every process has as many batches. The
    global batch, of `config.train.eval_batch_size`, is the processes' parts one after the other.

    Raises:
        UserError: a batch that the processes cannot share equally.
    """
    batch_size, channels = config.train.eval_batch_size, config.model.image_channels

    def example(position: int) -> Example:
        if position < len(resized):
            return _with_channels(resized[position], channels)
        padding = {key: np.zeros_like(value) for key, value in resized[0].items()}
        return _with_channels(padding, channels)

    padded_length = -(-len(resized) // batch_size) * batch_size
    parts = grain.MapDataset.range(padded_length).map(example).batch(shard.of(batch_size))
    return parts[shard.index :: shard.count].to_iter_dataset(_read_options(config.data))


def _read_options(data: Data) -> grain.ReadOptions:
    """Without threads Grain reads in line, and must then be told to buffer nothing."""
    return grain.ReadOptions(data.threads, data.prefetch if data.threads else 0)


def _positions(source: RecordSource, ids: Sequence[str]) -> np.ndarray:
    position_of = {id: position for position, id in enumerate(source.ids)}
    missing = [id for id in ids if id not in position_of]
    if missing:
        raise UserError(
            f"The data lacks images asked for ({len(missing)} of {len(ids)}), such as"
            f" '{missing[0]}': use the data that the split was drawn from."
        )
    return np.array([position_of[id] for id in ids], np.int64)


def _with_channels(example: Example, image_channels: int) -> Example:
    image = example["image"][..., None]
    planes = {name: example[name] for name in ("mask", "inside") if name in example}
    return {
        **example,
        "image": np.repeat(image, image_channels, axis=-1),
        **{name: plane[..., None].astype(np.float32) for name, plane in planes.items()},
    }
