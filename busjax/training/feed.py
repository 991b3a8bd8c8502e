"""The batches of a configuration: this process's share of them."""

from __future__ import annotations

import grain
import jax
from ml_collections import ConfigDict

from busjax.data import pipeline
from busjax.data.records import RecordSource


def train_feed(
    config: ConfigDict, source: RecordSource, ids: tuple[str, ...]
) -> grain.DatasetIterator[pipeline.Example]:
    """Augmented training batches without end; see `busjax.data.pipeline.train_batches`."""
    return pipeline.train_batches(
        source,
        ids,
        config.data,
        config.augment,
        config.model.image_channels,
        config.train.batch_size,
        config.seed,
        jax.process_index(),
        jax.process_count(),
    )


def eval_feed(
    config: ConfigDict, source: RecordSource, ids: tuple[str, ...]
) -> grain.IterDataset[pipeline.Example]:
    """The images in order, padded; resized once, here, and iterated as often as wanted."""
    return pipeline.eval_batches(
        source,
        ids,
        config.data,
        config.model.image_channels,
        config.train.eval_batch_size,
        jax.process_index(),
        jax.process_count(),
    )
