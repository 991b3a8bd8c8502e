"""Range or choices of every field of `base.py`; checked once, before anything is read.

A new field is a line there and a line here (a test holds the two together). Names that stand for
code, such as those of the architectures, are the keys of the table that the code keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ml_collections import ConfigDict

from configs.rules import Indices, OneOf, Real, Rule, SumOf, Text, Whole

_FLAG = OneOf((False, True))
_PROBABILITY = Real(0, 1)
_SHARE = Real(0, 1, open_high=True)  # 1 would leave nothing
_PART = Real(0, 1, open_low=True, open_high=True)
_NOT_NEGATIVE = Real(0)
_POSITIVE = Whole(1)
_SCORES_BY_CLASS = ("dice", "dice_median", "iou", "sensitivity", "f1", "auc")
_CLASSES = ("benign", "malignant", "normal")

# Validation scores of which higher is better.
SCORES = (
    *("dice_average", "dice_median", "iou_average"),
    *("accuracy", "balanced_accuracy", "f1_weighted", "auc_macro"),
    *(f"{score}_{name}" for score in _SCORES_BY_CLASS for name in _CLASSES),
)

FIELDS: dict[str, Rule] = {
    "name": Text(empty=False),
    "seed": Whole(0),
    "model.name": OneOf(("unet", "gated_unet", "unetpp")),
    "model.encoder": OneOf(
        ("conv", "efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
    ),
    "model.encoder_weights": Text(),
    "model.encoder_norms": OneOf(("trained", "frozen")),
    "model.image_channels": OneOf((1, 3)),
    "model.width": _POSITIVE,
    "model.depth": Whole(1, 10),
    "model.norm": OneOf(("batch", "group", "instance")),
    "model.norm_groups": _POSITIVE,
    "model.batch_norm_momentum": _SHARE,
    "model.activation_slope": _SHARE,
    "model.dropout": _SHARE,
    "model.upsample": OneOf(("transposed", "bilinear")),
    "model.gate": OneOf(("unit", "attention")),
    "model.deep_supervision": _FLAG,
    "model.prune": Whole(0),
    "model.classifier_hidden": _POSITIVE,
    "model.classifier_dropout": _SHARE,
    "model.refine": OneOf(("none", "hard", "soft", "both")),
    "model.dtype": OneOf(("auto", "float32", "bfloat16")),
    "model.ops": OneOf(("auto", "reference", "cpu", "portable")),
    "data.source": OneOf(("auto", "busi", "phantom", "table", "tfds")),
    "data.dir": Text(),
    "data.table.file": Text(empty=False),
    "data.table.delimiter": OneOf((",", ";", "\t")),
    "data.table.image": Text(empty=False),
    "data.table.mask": Text(),
    "data.table.label": Text(empty=False),
    "data.table.labels": Text(),
    "data.table.group": Text(),
    "data.tfds": Text(empty=False),
    "data.tfds_dir": Text(),
    "data.curation": Text(empty=False),
    "data.groups": Text(),
    "data.on_bad": OneOf(("error", "skip")),
    "data.image_size": Whole(2, 4096),
    "data.phantom_count": _POSITIVE,
    "data.phantom_seed": Whole(0),
    "data.validation_fraction": _PART,
    "data.test_fraction": _PART,
    "data.split_seed": Whole(0),
    "data.split_file": Text(),
    "data.oversample": _FLAG,
    "data.threads": Whole(0, 1024),
    "data.prefetch": Whole(0, 1024),
    "augment.enabled": _FLAG,
    "augment.flip_horizontal": _PROBABILITY,
    "augment.flip_vertical": _PROBABILITY,
    "augment.affine": _PROBABILITY,
    "augment.rotate": Real(0, 180),
    "augment.scale": Real(0, 4),
    "augment.shear": Real(0, 80),
    "augment.translate": Real(0, 1),
    "augment.elastic": _PROBABILITY,
    "augment.elastic_alpha": Real(0, 1),
    "augment.elastic_sigma": Real(0.005, 1),
    "augment.brightness": Real(0, 1),
    "augment.contrast": Real(0, 1),
    "augment.gamma": Real(0, 4),
    "augment.speckle": _PROBABILITY,
    "augment.speckle_sigma": Real(0, 4),
    "augment.blur": _PROBABILITY,
    "augment.blur_sigma": Real(0, 1),
    "loss.dice": _NOT_NEGATIVE,
    "loss.bce": _NOT_NEGATIVE,
    "loss.segmentation": _NOT_NEGATIVE,
    "loss.classification": _NOT_NEGATIVE,
    "loss.classifier": OneOf(("cross_entropy", "focal")),
    "loss.focal_gamma": _NOT_NEGATIVE,
    "loss.label_smoothing": _SHARE,
    "loss.weighting": OneOf(("fixed", "uncertainty")),
    "optim.learning_rate": Real(0, open_low=True),
    "optim.final_fraction": Real(0, 1),
    "optim.warmup_fraction": Real(0, 1),
    "optim.weight_decay": _NOT_NEGATIVE,
    "optim.clip_norm": _NOT_NEGATIVE,
    "optim.ema_decay": _SHARE,
    "optim.encoder_rate": Real(0, 100),
    "optim.encoder_frozen_epochs": Whole(0),
    "optim.micro_batches": _POSITIVE,
    "train.batch_size": _POSITIVE,
    "train.eval_batch_size": _POSITIVE,
    "train.epochs": _POSITIVE,
    "train.init_from": Text(),
    "train.init_parts": OneOf(("all", "encoder")),
    "train.checkpoint_epochs": _POSITIVE,
    "train.monitor": SumOf(SCORES),
    "train.skip_nonfinite": Whole(0),
    "train.lock_timeout": Whole(1, 86_400),
    "cv.folds": Whole(2),
    "cv.seed": Whole(0),
    "cv.only": Indices(),
    "inference.flips": OneOf(("none", "horizontal", "both")),
    "inference.members": Text(),
    "inference.threshold": OneOf(("fixed", "validation")),
    "inference.temperature": OneOf(("none", "validation")),
    "inference.largest": Whole(0),
    "parallel.map": OneOf(("shard_map", "pmap")),
    "parallel.devices": Whole(0),
    "parallel.autotune": Whole(0, 4),
    "parallel.timeout": Whole(1, 86_400),
}

# Folders, which may lie elsewhere on another machine.
PATHS = ("data.dir", "data.tfds_dir")

# Fields that change where or how fast a run is computed, not what is computed.
FREE = frozenset(
    {
        *PATHS,
        "data.threads",
        "data.prefetch",
        "train.eval_batch_size",
        "train.skip_nonfinite",
        "train.lock_timeout",
        "parallel.map",
        "parallel.devices",
        "parallel.autotune",
        "parallel.timeout",
        "model.ops",
        "model.dtype",
    }
)

# Fields that an evaluation may set otherwise than the training did.
INFERENCE = frozenset(
    {
        "model.refine",
        "model.prune",
        *(field for field in FIELDS if field.startswith("inference.")),
    }
)


def problems(config: ConfigDict) -> list[str]:
    """Says what is wrong with the fields of a configuration, a clause each; nothing: it is sound.

    Fields that are missing or that do not exist (a run of another version) are told as well.
    """
    values = flatten(config.to_dict())
    found = [f"config.{field} is missing" for field in FIELDS if field not in values]
    found += [f"config.{field} does not exist" for field in values if field not in FIELDS]
    found += [
        f"config.{field}={values[field]!r} must be {rule}"
        for field, rule in FIELDS.items()
        if field in values and not rule.allows(values[field])
    ]
    return found or _contradictions(config)


def _contradictions(config: ConfigDict) -> list[str]:
    """What is wrong with fields, each in its range, that do not fit together."""
    model, data, loss = config.model, config.data, config.loss
    found = []
    depth = model.depth if model.encoder == "conv" else 5
    step = 2**depth
    if data.image_size % step:
        found.append(
            f"config.data.image_size={data.image_size} must be divisible by {step} for "
            f"{depth} halvings: the next size that fits is "
            f"{-(-data.image_size // step) * step}"
        )
    if model.prune > depth:
        found.append(f"config.model.prune={model.prune} must be at most {depth}, the depth")
    if model.prune and not model.deep_supervision:
        found.append("config.model.prune needs config.model.deep_supervision: X[0,prune] has no "
                     "mask else")  # fmt: skip
    if model.encoder_weights and model.encoder == "conv":
        found.append(
            "config.model.encoder_weights are those of an EfficientNet: set config.model.encoder, "
            "such as efficientnet_lite0"
        )
    if data.validation_fraction + data.test_fraction >= 1:
        found.append(
            f"config.data.validation_fraction={data.validation_fraction} and config.data."
            f"test_fraction={data.test_fraction} leave nothing to train on: their sum must be "
            "below 1"
        )
    if beyond := [
        word for word in config.cv.only.split(",") if word and int(word) >= config.cv.folds
    ]:
        found.append(
            f"config.cv.only={config.cv.only!r}: of {config.cv.folds} folds the last is "
            f"{config.cv.folds - 1}, so there is no fold {beyond[0]}"
        )
    if not loss.segmentation * (loss.dice + loss.bce) + loss.classification:
        found.append("every weight of config.loss is 0: there is nothing to learn")
    return found


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{'model': {'name': 'unet'}} -> {'model.name': 'unet'}."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        nested = isinstance(value, dict)
        flat |= flatten(value, f"{prefix}{name}.") if nested else {prefix + name: value}
    return flat


def differing(
    there: Mapping[str, Any], here: Mapping[str, Any], names: Iterable[str] | None = None
) -> list[str]:
    """What differs between two flat configurations, a phrase a field, in the order of names.

    Args:
        there: by name; so is `here`.
        names: of the fields that count; all by default. One that is missing counts as None.
    """
    return [
        f"config.{name} is {there.get(name)!r} there and {here.get(name)!r} here"
        for name in sorted(there.keys() | here.keys() if names is None else names)
        if there.get(name) != here.get(name)
    ]
