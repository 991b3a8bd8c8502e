"""Training batches of phantoms, with the augmentation that a test asks for."""

from busjax.config import Config
from busjax.data import pipeline
from busjax.data.readers.phantom import PhantomSource


def batches(count, **augment):
    source = PhantomSource(24, 0, 64)
    config = Config().but(
        data={"image_size": 32, "source": "phantom", "fit": "pad", "threads": 0},
        train={"batch_size": 8},
        augment={"enabled": True, **augment},
    )
    stream = pipeline.train_batches(source, source.ids, config, pipeline.Shard())
    return [next(stream) for _ in range(count)]
