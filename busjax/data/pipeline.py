"""Records -> batches {image, mask, label, valid, index}, read ahead in threads by Grain."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import grain
import numpy as np

from busjax.config import Config, Data
from busjax.data import drawing_order
from busjax.data.augmentation.shown import in_detail, shown
from busjax.data.records import RecordSource, set_names
from busjax.data.resized import Example, Resized, positions
from busjax.errors import UserError


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
    sets = np.array(set_names(source))[positions(source, ids)]
    strata = drawing_order.strata(sets, resized.labels, config.data.balance)
    detailed = in_detail(source, ids, config)
    examples = _endless(resized, detailed, order, strata, config).batch(local_size)
    part = examples[shard.index :: shard.count]
    return iter(part.to_iter_dataset(_read_options(config.data)))


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

    def augmented(example: Example, rng: np.random.Generator) -> Example:
        changed = shown(example, resized, detailed, rng, config)
        return _with_channels(changed, config.model.image_channels)

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


def steps_per_epoch(source: RecordSource, ids: Sequence[str], data: Data, batch_size: int) -> int:
    """Returns the steps in which each (repeated) image of `ids` is seen at least once."""
    labels = np.asarray(source.labels)[positions(source, ids)]
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


def _with_channels(example: Example, image_channels: int) -> Example:
    image = example["image"][..., None]
    planes = {name: example[name] for name in ("mask", "inside") if name in example}
    return {
        **example,
        "image": np.repeat(image, image_channels, axis=-1),
        **{name: plane[..., None].astype(np.float32) for name, plane in planes.items()},
    }
