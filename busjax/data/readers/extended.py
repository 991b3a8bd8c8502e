"""A set, and further ones that are for training alone."""

from __future__ import annotations

import dataclasses

import numpy as np

from busjax.data.pixels import resize
from busjax.data.records import Record, RecordSource, scanners, set_names, training_only
from busjax.errors import UserError

_SIDE = 32  # pixels of a thumbnail
_COPY = 0.98  # correlation of two thumbnails from which on one is a copy of the other


class ExtendedSource:
    """The records of a source as they are, and those of another one after them.

    Ids and groups of the further ones begin with the name of their set; those of the first stay, so
    that its splits and its scores are those that it has alone.

    Attributes:
        sets: name of the set of every record, (N,).
        training_only: ids of the further ones.
    """

    def __init__(self, own: tuple[str, RecordSource], further: tuple[str, RecordSource]) -> None:
        """Puts one after the other.

        Args:
            own: the set that is split, with its name.
            further: the one that is trained on, with its name, which ids of several joined sets
                have already.

        Raises:
            UserError: two sets of one name.
        """
        (_, first), (further_name, second) = own, further
        self._sources = first, second
        sets = [set_names(source, name) for name, source in (own, further)]
        if common := set(sets[0]) & set(sets[1]):
            raise UserError(
                f"config.data.extra names a folder '{min(common)}' as config.data.dir does: give "
                "folders of different names"
            )
        prefix = "" if hasattr(second, "sets") else f"{further_name}/"
        self.name = first.name  # what is tested on
        self.sets: tuple[str, ...] = (*sets[0], *sets[1])
        self.scanners = (*scanners(first), *scanners(second))
        self.training_only = frozenset(f"{prefix}{id}" for id in second.ids)
        self.ids = (*first.ids, *(f"{prefix}{id}" for id in second.ids))
        self.groups = (*first.groups, *(f"{prefix}{group}" for group in second.groups))
        self.labels: np.ndarray = np.concatenate([first.labels, second.labels])
        self.description = f"{first.description}; for training alone, {second.description}"
        self.remarks = (
            *first.remarks,
            *(f"{prefix.removesuffix('/')}: {line}" if prefix else line for line in second.remarks),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Record:
        index = range(len(self))[index]
        first, second = self._sources
        record = first[index] if index < len(first) else second[index - len(first)]
        return dataclasses.replace(record, id=self.ids[index], group=self.groups[index])


def check_apart(source: RecordSource) -> None:
    """Decodes all images and checks that none for training alone shows what another one does.

    Copies of an image, of any size and mirrored, correlate by more than 0.999 as thumbnails; of the
    1,875 images of BUS-BRA and the 780 of BUSI none does so with another view by more than 0.936.

    Raises:
        UserError: such an image.
    """
    for_training = training_only(source)
    further = np.array([id in for_training for id in source.ids])
    plain = np.stack([_thumbnail(source[index].image) for index in range(len(source))])
    mirrored = plain.reshape(-1, _SIDE, _SIDE)[:, :, ::-1].reshape(plain.shape)
    alike = np.maximum(plain[further] @ plain[~further].T, plain[further] @ mirrored[~further].T)
    copies = np.argwhere(alike >= _COPY)
    if len(copies):
        ids = np.array(source.ids)
        id, same = ids[further][copies[0, 0]], ids[~further][copies[0, 1]]
        count = len(np.unique(copies[:, 0]))
        raise UserError(
            f"config.data.extra: '{id}' shows what '{same}' of config.data.dir does, which may be "
            f"tested on ({count} of its {further.sum()} images are such): give other images"
        )


def _thumbnail(image: np.ndarray) -> np.ndarray:
    """A small image, (_SIDE^2,) float32 of mean 0 and length 1; all 0 for an even one."""
    small = resize(image, _SIDE, _SIDE).astype(np.float32).ravel()
    small -= small.mean()
    length = np.linalg.norm(small)
    return small / length if length > 0 else small
