"""Every field has a range, a value outside it is told in a clause, and the tables fit the code."""

import functools
import math
import operator

import numpy as np
import pytest

from busjax import ops
from busjax.classes import CLASSES
from busjax.metrics.segmentation import PixelCounts
from busjax.metrics.summary import summarise
from busjax.models import gates, network, refine
from configs import base, fields
from configs.fields import FIELDS
from configs.rules import Indices, OneOf, Real, SumOf, Text, Whole

DEFAULTS = fields.flatten(base.get_config().to_dict())


def changed(**values):
    config = base.get_config()
    with config.unlocked():
        config.update_from_flattened_dict(values)
    return config


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
    raise AssertionError(rule)


def test_every_field_has_a_rule_and_every_rule_a_field():
    assert FIELDS.keys() == DEFAULTS.keys()


@pytest.mark.parametrize("field", DEFAULTS)
def test_values_outside_are_told_and_values_at_the_ends_are_not(field):
    rule = FIELDS[field]
    for value in outside(rule):
        config = base.get_config().to_dict()
        *sections, name = field.split(".")
        functools.reduce(operator.getitem, sections, config)[name] = value
        (found,) = fields.problems(type(base.get_config())(config))
        assert found.startswith(f"config.{field}={value!r} must be ")
        assert "\n" not in found
    assert rule.allows(DEFAULTS[field])
    assert all(rule.allows(value) for value in inside(rule))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"data.image_size": 100}, "the next size that fits is 112"),
        ({"model.prune": 5}, "at most 4"),
        ({"model.prune": 1, "model.deep_supervision": False}, "needs config.model.deep_super"),
        ({"data.validation_fraction": 0.5, "data.test_fraction": 0.5}, "nothing to train on"),
        ({"cv.only": "0,5"}, "the last is 4, so there is no fold 5"),
        ({"loss.classification": 0.0, "loss.dice": 0.0, "loss.bce": 0.0}, "nothing to learn"),
        ({"loss.classification": 0.0, "loss.segmentation": 0.0}, "nothing to learn"),
    ],
)
def test_fields_that_do_not_fit_together(values, message):
    (found,) = fields.problems(changed(**values))
    assert message in found
    assert set(values) <= {field for field in FIELDS if field in found} or "every weight" in found


def test_all_that_is_wrong_is_told_at_once():
    config = changed(**{"seed": -1, "model.dropout": 1.5})
    assert len(fields.problems(config)) == 2


def test_a_configuration_of_another_version():
    config = base.get_config()
    with config.unlocked():
        del config.model.width
        config.model.classes = 3
    assert fields.problems(config) == [
        "config.model.width is missing",
        "config.model.classes does not exist",
    ]


@pytest.mark.parametrize(
    ("field", "table"),
    [
        ("model.name", network.ARCHITECTURES),
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
    assert set(fields.SCORES) == {name for name in found if not name.startswith("n_")}
    assert all(found[name] == 1 for name in fields.SCORES)
