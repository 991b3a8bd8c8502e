"""Numbers on the pages."""

import math

import pytest

from busjax.pages.numbers import UNDEFINED, fact, number


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.66120183, "0.661"), (1.0, "1.000"), (81, "81"), (math.nan, UNDEFINED), (None, UNDEFINED)],
)
def test_a_score_has_three_decimals(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.6612018346786499, "0.6612"), (605103, "605,103"), (True, "yes"), (False, "no"),
     ("cpu", "cpu"), (1.0, "1")],
)  # fmt: skip
def test_a_fact_has_four_digits(value, text):
    assert fact(value) == text
