"""Templates: what is missing is an error, and what is given is escaped."""

import jinja2
import pytest

from busjax.pages.rendering import render
from busjax.pages.tables import Cell, Listing, Table, markdown

FURTHER = {"title": "<t>", "heading": "<h>", "banner": "", "first": "x.html", "cases": []}


def test_values_are_escaped():
    page = render("more_predictions.html", facts={"note": "a < b & 'c'"}, **FURTHER).decode()
    assert "<title>&lt;t&gt;</title>" in page
    assert "<h1>&lt;h&gt;</h1>" in page
    assert "a &lt; b &amp; &#39;c&#39;" in page
    assert page.startswith("<!doctype html>\n")


def test_a_value_that_is_missing_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="facts"):
        render("more_predictions.html", **FURTHER)


def test_choices_are_the_texts_of_a_column():
    rows = [[Cell("1"), Cell(name)] for name in ("normal", "benign", "normal")]
    assert Listing("", "", ("n", "class"), rows).values("class") == ["benign", "normal"]


def test_a_table_as_markdown():
    table = Table("Title", "Note.", ("", "Dice"), [("a|b", [("0.5", "± 0.1")]), ("c", [("1", "")])])
    assert markdown(table) == (
        "### Title\n\nNote.\n\n|  | Dice |\n| --- | --- |\n| a/b | 0.5 ± 0.1 |\n| c | 1 |\n"
    )
