"""Grouped, stratified splits and folds; saved as JSON; an overlap raises."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from busjax import files
from busjax.classes import CLASSES
from busjax.config import Data
from busjax.data.records import RecordSource, training_only
from busjax.errors import UserError

_TASK = {"train": "train on", "validation": "validate on", "test": "test on"}
FILE = "split.json"  # in the folder of a run


@dataclasses.dataclass(frozen=True)
class Split:
    """The ids of each part, in the order of the source."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def parts(self) -> dict[str, tuple[str, ...]]:
        """Returns the ids by the name of their part."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def draw_split(
    ids: Sequence[str],
    labels: np.ndarray,
    groups: Sequence[str],
    validation_fraction: float,
    test_fraction: float,
    seed: int,
) -> Split:
    """Draws a split, stratified by class, in which no group is parted.

    Args:
        ids: (N,) unique ids.
        labels: (N,) int class indices.
        groups: (N,) group names.
        validation_fraction: share of all images in [0, 1); 0: an empty part.
        test_fraction: likewise; the rest is for training.
        seed: of the draw.

    Raises:
        UserError: fractions that leave nothing for training, or too few groups for the parts.
    """
    if min(validation_fraction, test_fraction) < 0 or validation_fraction + test_fraction >= 1:
        raise UserError(
            f"validation_fraction={validation_fraction} and test_fraction={test_fraction} leave"
            " nothing to train on: choose two fractions of at least 0 whose sum is below 1."
        )
    train_fraction = 1 - validation_fraction - test_fraction
    fractions = [train_fraction, validation_fraction, test_fraction]
    return Split(*_allocate(ids, labels, groups, fractions, seed))


def draw_folds(
    ids: Sequence[str], labels: np.ndarray, groups: Sequence[str], k: int, seed: int
) -> list[tuple[str, ...]]:
    """Draws k folds of equal size, stratified by class, in which no group is parted.

    Args: as `draw_split`.

    Raises:
        UserError: fewer than two folds, or fewer groups than folds.
    """
    if k < 2:
        raise UserError(f"Cross-validation with {k} folds: choose at least 2.")
    return _allocate(ids, labels, groups, [1 / k] * k, seed)


def draw_fold(
    ids: Sequence[str],
    labels: np.ndarray,
    groups: Sequence[str],
    k: int,
    index: int,
    validation_fraction: float,
    seed: int,
) -> Split:
    """The split of a cross-validation in which fold `index` is the test set.

    The validation part is drawn from the other folds, of their groups; nothing of the test fold
    has a say in it.

    Args: as `draw_folds`, and
        index: of the fold, in [0, k).
        validation_fraction: share of all images in (0, 1).

    Raises:
        UserError: as `draw_folds`; or folds and validation part leave nothing to train on.
    """
    test = draw_folds(ids, labels, groups, k, seed)[index]
    if validation_fraction + 1 / k >= 1:
        raise UserError(
            f"config.data.validation_fraction={validation_fraction} and a test fold of one in {k}"
            " leave nothing to train on: lower the fraction."
        )
    held = set(test)
    rest = [position for position, id in enumerate(ids) if id not in held]
    share = validation_fraction / (1 - 1 / k)
    train, validation = _allocate(
        [ids[position] for position in rest],
        labels[rest],
        [groups[position] for position in rest],
        [1 - share, share],
        seed,
    )
    return Split(train, validation, test)


def _allocate(
    ids: Sequence[str],
    labels: np.ndarray,
    groups: Sequence[str],
    fractions: Sequence[float],
    seed: int,
) -> list[tuple[str, ...]]:
    """Deals whole groups, one after the other, to the part that lacks most of their classes.

    Large groups first, so that the small ones even out what they leave; groups of one size in a
    random order. What a part lacks of a class is relative to its target, so all parts fill up at
    one pace and large groups do not pile up in the largest part. A group over several classes
    weighs each of them by its images. After Sechidis, Tsoumakas and Vlahavas, On the
    stratification of multi-label data, ECML PKDD 2011 (there by image, here by group).
    """
    members: dict[str, list[int]] = collections.defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    order = list(members.values())
    random.Random(seed).shuffle(order)

    one_hot = np.eye(int(labels.max()) + 1)[labels]
    target = np.outer(fractions, np.maximum(one_hot.sum(axis=0), 1))
    dealt = np.zeros_like(target)
    chosen: list[list[int]] = [[] for _ in fractions]
    parts = [part for part, fraction in enumerate(fractions) if fraction > 0]
    for indices in sorted(order, key=len, reverse=True):
        count = one_hot[indices].sum(axis=0)
        lacks = {part: 1 - dealt[part] / target[part] for part in parts}
        part = max(parts, key=lambda part: (count @ lacks[part], lacks[part].sum()))
        dealt[part] += count
        chosen[part] += indices
    if not all(chosen[part] for part in parts):
        raise UserError(f"{len(members)} groups of images are too few for {len(parts)} parts.")
    return [tuple(ids[index] for index in sorted(part)) for part in chosen]


def first(data: Data, source: RecordSource) -> Split:
    """The split of a run that begins: as `data.split_file` gives it, else drawn.

    Images for training alone (`data.extra`) are all in its training part.
    """
    if data.split_file:
        return _with_further(read(files.locate(data.split_file)), source)
    fractions = data.validation_fraction, data.test_fraction
    return _with_further(draw_split(*_own(source), *fractions, data.split_seed), source)


def fold(data: Data, source: RecordSource, folds: int, index: int, seed: int) -> Split:
    """The split of one fold, as `draw_fold`; further images as in `first`."""
    drawn = draw_fold(*_own(source), folds, index, data.validation_fraction, seed)
    return _with_further(drawn, source)


def _own(source: RecordSource) -> tuple[tuple[str, ...], np.ndarray, tuple[str, ...]]:
    """Ids, labels and groups of the images that are not for training alone."""
    further = training_only(source)
    own = [index for index, id in enumerate(source.ids) if id not in further]
    ids, groups = (tuple(texts[index] for index in own) for texts in (source.ids, source.groups))
    return ids, source.labels[own], groups


def _with_further(split: Split, source: RecordSource) -> Split:
    """A split with all images for training alone in its training part."""
    further = training_only(source)
    if held := sorted(further & {*split.validation, *split.test}):
        raise UserError(
            f"config.data.split_file has '{held[0]}', an image of config.data.extra, in a part "
            "that is not trained on"
        )
    train = {*split.train, *further}
    return dataclasses.replace(split, train=tuple(id for id in source.ids if id in train))


def gaps(drawn: Mapping[int, Split], source: RecordSource) -> list[str]:
    """Says which parts lack a class that the set has, so that scores of it are undefined there.

    Args:
        drawn: splits by the number of their fold; of one run a single one.
        source: of their images.
    """
    labels = dict(zip(source.ids, source.labels.tolist(), strict=True))
    counts = np.bincount(source.labels, minlength=len(CLASSES)).tolist()
    lines = []
    for part in ("train", "validation", "test"):
        held = {fold: {labels[id] for id in one.parts()[part]} for fold, one in drawn.items()}
        held = {fold: present for fold, present in held.items() if present}
        for label, name in enumerate(CLASSES):
            lacking = [str(fold) for fold, present in held.items() if label not in present]
            if not counts[label] or not lacking:
                continue
            one = "lacks" if len(lacking) == 1 else "lack"
            who = f"fold{'' if len(lacking) == 1 else 's'} {', '.join(lacking)} {one}"
            lines.append(
                f"{who if len(drawn) > 1 else 'the split lacks'} {name} images to {_TASK[part]} "
                f"(there are {counts[label]} in all): scores of that class are undefined there"
            )
    return lines


def save(split: Split, path: epath.Path, **provenance: Any) -> None:
    """Writes a split as JSON, with what it was drawn from (source, seed, curation, ...)."""
    content = {"provenance": provenance, **split.parts()}
    path.parent.mkdir(parents=True, exist_ok=True)
    files.replace(path, (json.dumps(content, indent=1) + "\n").encode())


def read(path: epath.Path) -> Split:
    """Reads a split that `save` wrote.

    Raises:
        UserError: no such file, or one of another form.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Split(**{part.name: tuple(content[part.name]) for part in dataclasses.fields(Split)})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"The split '{path}' cannot be read ({error}): expected JSON with the lists of ids"
            " train, validation and test."
        ) from error


def provenance(path: epath.Path) -> dict[str, Any]:
    """Where the images of a saved split came from: 'source' and 'description'.

    Raises:
        UserError: no such file, or one of another form.
    """
    try:
        origin = dict(json.loads(path.read_text())["provenance"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"The split '{path}' cannot be read ({error})") from error
    if "description" in origin:  # of phantoms, earlier versions added how to use BUSI
        origin["description"] = origin["description"].partition("; no BUSI data was found")[0]
    return origin


def digest(split: Split) -> str:
    """SHA-256 of the ids of each part, in their order: 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(split.parts()).encode()).hexdigest()


def check(split: Split, ids: Sequence[str], groups: Sequence[str]) -> None:
    """Checks that no image and no group is in two parts and that all ids are in the source.

    Args:
        split: the parts, e.g. as loaded.
        ids: (N,) ids of the source.
        groups: (N,) their groups.

    Raises:
        UserError: otherwise; the message names an image or group.
    """
    group_of = dict(zip(ids, groups, strict=True))
    part_of_id: dict[str, str] = {}
    part_of_group: dict[str, str] = {}
    for part, part_ids in split.parts().items():
        for id in part_ids:
            if id not in group_of:
                raise UserError(
                    f"The split has '{id}' in {part}, which the data lacks:"
                    " draw a new split, or use the data and curation that it was drawn from."
                )
            if id in part_of_id:
                raise UserError(_overlap(f"image '{id}'", part_of_id[id], part))
            part_of_id[id] = part
            other = part_of_group.setdefault(group_of[id], part)
            if other != part:
                raise UserError(_overlap(f"group '{group_of[id]}'", other, part))


def _overlap(what: str, part: str, other: str) -> str:
    where = f"in {part} twice" if part == other else f"in both {part} and {other}"
    return f"The split leaks: {what} is {where}; draw a new split."
