"""Settings are checked when they are made, each field is told whole, and choices fit the code."""

import copy
import dataclasses
import inspect
import math
import pickle

import numpy as np
import pytest

from busjax import ops
from busjax.classes import CLASSES
from busjax.config import (
    FIELDS,
    FREE,
    INFERENCE,
    PATHS,
    SCORES,
    Config,
    CrossValidation,
    Data,
    Loss,
    Model,
    Table,
    flatten,
)
from busjax.config.flags import config_dict
from busjax.config.flags import settings as from_flags
from busjax.config.rules import Ends, Indices, OneOf, Real, SumOf, Text, Whole
from busjax.errors import UserError
from busjax.metrics.segmentation import PixelCounts
from busjax.metrics.summary import summarise
from busjax.models import architectures, gates, refine
from busjax.variants import variant

DEFAULTS = Config().flat()
KINDS = [Config, Table, *Config.sections().values()]


def outside(rule):
    """Values that a rule must not allow, two at least: beyond both ends, and of another type."""
    match rule:
        case OneOf():
            return ["nonsense", None, -1, math.nan]
        case Whole():
            return [rule.low - 1, rule.high + 1, rule.low + 0.5, "1", True]
        case Real():
            below = rule.low if rule.open_low else rule.low - 1e-6
            above = rule.high if rule.open_high else rule.high + 1e-6
            return [below, above, math.nan, math.inf, "0.5", True]
        case Text():
            return [3, None, *(() if rule.empty else ("", " "))]
        case SumOf():
            return ["nonsense", f"{rule.names[0]}+nonsense", "", f"{rule.names[0]}+", 3]
        case Indices():
            return ["a", "-1", "1,", ",", "1, 2", "2,2", "1.5", 3, None, "²"]
        case Ends():
            return ["a", "1", "1,", "2,1", "1,1", "1,2,3", "0,inf", "nan,1", 3, None]
    raise AssertionError(rule)


def inside(rule):
    """Values at the very ends of what a rule allows."""
    match rule:
        case OneOf():
            return list(rule.choices)
        case Whole():
            return [rule.low, rule.high]
        case Real():
            small = rule.low + (1e-9 if rule.open_low else 0)
            large = rule.high - (1e-9 if rule.open_high else 0)
            return [small, large if math.isfinite(large) else 1e30]
        case Text():
            return ["some text", *([""] if rule.empty else ())]
        case SumOf():
            return [*rule.names, "+".join(rule.names)]
        case Indices():
            return ["", "0", "3,0,12"]
        case Ends():
            return ["", "0,4095", "-1000,1000", "-0.5,0.5", "1e-3,1e3"]
    raise AssertionError(rule)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_told_whole(kind):
    parts = kind.sections()
    assert {field.name for field in dataclasses.fields(kind)} == {*kind.fields(), *parts}
    for field in kind.fields().values():
        assert field.metadata["meaning"].strip()
        assert type(field.default).__name__ == field.type
        assert field.metadata["rule"].allows(field.default)


def test_fields_are_those_of_the_flags():
    assert FIELDS.keys() == DEFAULTS.keys() == flatten(variant("base").to_dict()).keys()
    assert {"data.dir", "model.ops", "parallel.devices"} < FREE < FIELDS.keys()
    assert {"model.refine", "inference.flips"} < INFERENCE < FIELDS.keys()
    assert set(PATHS) < FREE


@pytest.mark.parametrize("field", DEFAULTS)
def test_values_outside_are_told_and_values_at_the_ends_are_not(field):
    rule = FIELDS[field]
    for value in outside(rule):
        with pytest.raises(UserError) as error:
            Config.from_flat({**DEFAULTS, field: value})
        assert str(error.value).startswith(f"config.{field}={value!r} must be ")
        assert "\n" not in str(error.value)
    assert all(rule.allows(value) for value in inside(rule))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Model(width=0), "config.model.width=0 must be a whole number, 1 or more"),
        (lambda: Config(seed=-1), "config.seed=-1 must be a whole number, 0 or more"),
        (lambda: Table(delimiter="x"), "config.data.table.delimiter='x' must be one of"),
        (lambda: Model().but(depth=11), "config.model.depth=11 must be"),
        (lambda: Config(model={"width": 3}), "config.model must be a Model"),
        (lambda: Data(table=None), "config.data.table must be a Table"),
        (lambda: Model(width=0, dropout=2.0), "width=0 .*; config.model.dropout=2.0 must"),
        (lambda: Config(data=Data(image_size=100)), "by 16 .* the next size that fits is 112"),
        (lambda: Model(prune=5), "at most 4"),
        (lambda: Model(prune=1, deep_supervision=False), "needs config.model.deep_supervision"),
        (lambda: Data(validation_fraction=0.5, test_fraction=0.5), "nothing to train on"),
        (lambda: CrossValidation(only="0,5"), "the last is 4, so there is no fold 5"),
        (lambda: Loss(classification=0.0, dice=0.0, bce=0.0), "nothing to learn"),
        (lambda: Loss(classification=0.0, segmentation=0.0), "nothing to learn"),
        (lambda: Model(encoder_weights="imagenet"), "set config.model.encoder"),
    ],
)
def test_what_is_made_in_python_is_checked(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_a_wrong_name_is_told_with_the_closest():
    with pytest.raises(TypeError, match="Model has no field 'widht'; did you mean 'width'"):
        Model(widht=3)
    with pytest.raises(TypeError, match="Model has no field 'widht'; did you mean 'width'"):
        Model().but(widht=3)
    with pytest.raises(AttributeError, match="Config has no field 'modle'; did you mean 'model'"):
        Config().modle  # noqa: B018
    with pytest.raises(TypeError, match=r"Config has no field 'zzz'$"):
        Config(zzz=1)


def test_settings_are_values():
    assert inspect.signature(Model).parameters["width"].default == 16
    assert Config() == Config(model=Model(width=16))
    assert hash(Config()) == hash(Config())
    assert Model().but(width=8) == Model(width=8) != Model()
    with pytest.raises(dataclasses.FrozenInstanceError):
        Model().width = 8
    wide = Config(model=Model(width=32))
    assert pickle.loads(pickle.dumps(wide)) == copy.deepcopy(wide) == wide


def test_other_values_of_a_few_fields():
    changed = Config().but(seed=1, model={"width": 8}, data={"table": {"label": "Pathology"}})
    assert changed == Config(
        seed=1, model=Model(width=8), data=Data(table=Table(label="Pathology"))
    )
    assert changed.but(model=Model()) == changed.but(model={"width": 16})
    with pytest.raises(TypeError, match=r"Model has no field 'widht'; did you mean 'width'\?"):
        changed.but(model={"widht": 8})
    with pytest.raises(UserError, match=r"config\.data\.image_size=100 must be divisible by 16"):
        changed.but(data={"image_size": 100})


def test_flags_become_settings_and_go_back():
    config = config_dict(Config(model=Model(width=32)))
    config.data.table.label = "Pathology"
    made = from_flags(config)
    assert made.model.width == 32
    assert made.data.table == Table(label="Pathology")
    assert config_dict(made).to_dict() == config.to_dict()
    assert Config.from_flat(made.flat()) == made


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(UserError) as error:
        Config.from_flat({**DEFAULTS, "seed": -1, "model.dropout": 1.5})
    assert str(error.value).count("must be") == 2
    with pytest.raises(UserError) as error:
        Config.from_flat({**DEFAULTS, "model.prune": 5, "cv.only": "7"})
    assert "at most 4" in str(error.value)
    assert "no fold 7" in str(error.value)


def test_a_configuration_of_another_version():
    config = variant("base")
    with config.unlocked():
        del config.model.width
        config.model.classes = 3
    told = "config.model.width is missing; config.model.classes does not exist"
    with pytest.raises(UserError, match=f"^{told}$"):
        from_flags(config)


@pytest.mark.parametrize(
    ("field", "table"),
    [
        ("model.name", architectures.DECODERS),
        ("model.gate", gates.GATES),
        ("model.refine", refine.REFINEMENTS),
        ("model.ops", {"auto": None, **ops.OPS}),
    ],
)
def test_choices_are_those_of_the_code(field, table):
    assert FIELDS[field].choices == tuple(table)


def test_scores_are_those_of_the_summary():
    """All but the numbers of images; each of them is better the higher it is."""
    n = len(CLASSES)
    ones = np.ones(n, np.int64)
    found = summarise(np.arange(n), np.eye(n), PixelCounts(ones, 0 * ones, 0 * ones, ones))
    assert set(SCORES) == {name for name in found if not name.startswith("n_")}
    assert all(found[name] == 1 for name in SCORES)
