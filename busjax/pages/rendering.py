"""Templates and values -> HTML."""

from __future__ import annotations

import functools
from typing import Any

import jinja2

from busjax.pages import numbers


def render(template: str, **values: object) -> bytes:
    """Fills a template of `templates/`, in UTF-8; every value is escaped.

    Args:
        template: its file name, such as 'run.html'.
        values: by the names that the template uses; one that is missing is an error.
    """
    return _environment().get_template(template).render(**values).encode(errors="backslashreplace")


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("busjax.pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters: dict[str, Any] = {"number": numbers.number, "fact": numbers.fact}
    environment.filters |= filters
    return environment
