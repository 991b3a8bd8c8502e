"""A comparison as one HTML page, and as Markdown."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from html import escape
from typing import Any

from busjax.classes import CLASSES
from busjax.evaluation import scores
from busjax.evaluation.compare import charts, paired, tables
from busjax.evaluation.compare.published import Published
from busjax.evaluation.compare.tables import Table
from busjax.evaluation.report.charts import reliability_chart
from busjax.evaluation.report.drawing import embedded
from busjax.evaluation.report.style import STYLE
from busjax.evaluation.report.tables import definition_list, matrix_table
from busjax.evaluation.study import Study
from busjax.runs import results

_STYLE = """
main { max-width: 1400px; }
.scores th, .scores td { padding: 7px 8px; font-size: 15px; }
.scores td small { display: block; color: var(--muted); font-size: 12px; }
.scores td { vertical-align: top; }
.scores tr.theirs > * { background: var(--ground); font-style: italic; }
.scores tbody th { white-space: normal; min-width: 11em; font-size: 15px; }
.scores td.words { white-space: normal; min-width: 12em; text-align: left; }
.trio { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr));
  gap: 20px; }
.matrix td { padding: 7px 4px; }
.matrix td b { font-size: 18px; }
"""


SHOWN = ("images", "folds", "more", "differences")
"""Over all images, over folds, further measures, differences from the first study."""

TABLES = (*SHOWN, "confusion")
"""Those, and predicted classes, which the page draws as matrices instead."""


def all_tables(
    labels: Sequence[str],
    studies: Sequence[Study],
    others: Sequence[Published],
    wanted: Sequence[str] = SHOWN,
) -> list[Table]:
    """The tables of a comparison, of `TABLES`, in the order in which they are wanted."""

    @functools.cache
    def summaries() -> list[dict[str, Any]]:  # resampled: only where a table needs it
        return [scores.summarise(one) for one in studies]

    def differences() -> Table:
        found = [paired.difference(one, studies[0]) for one in studies[1:]]
        return tables.differences(labels[1:], labels[0], found)

    makers = {
        "images": lambda: tables.pooled(labels, summaries()),
        "folds": lambda: tables.over_folds(labels, summaries(), others),
        "more": lambda: tables.more(labels, summaries()),
        "differences": differences,
        "confusion": lambda: tables.confusion(labels, studies),
    }
    return [makers[name]() for name in wanted if name != "differences" or len(studies) > 1]


def names(studies: Sequence[Study]) -> list[str]:
    """What each study is called: its name, that of the evaluation, its folder where it must be."""
    plain = [
        " ".join((one.name, one.results_in.removeprefix(results.FOLDER).strip("_"))).strip()
        for one in studies
    ]
    return [
        name if plain.count(name) == 1 else f"{name} ({one.folder})"
        for name, one in zip(plain, studies, strict=True)
    ]


def html(labels: Sequence[str], studies: Sequence[Study], shown: Sequence[Table]) -> str:
    """One page that needs no other file."""
    body = "".join(
        (
            _header(labels, studies),
            *(tables.html(table) for table in shown),
            _dice(labels, studies),
            _confusion(labels, studies),
            _reliability(labels, studies),
            _origin(labels, studies),
        )
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>busjax: comparison</title><style>{STYLE}{_STYLE}</style></head><body>"
        f"{_banner(studies)}<main>{body}</main></body></html>\n"
    )


def markdown(studies: Sequence[Study], shown: Sequence[Table]) -> str:
    """The tables alone."""
    caution = f"**{_phantoms(studies)}**\n\n" if _phantoms(studies) else ""
    data = "\n".join(f"* {line}" for line in _data(studies))
    return f"{caution}{data}\n\n" + "\n".join(tables.markdown(table) for table in shown)


def _phantoms(studies: Sequence[Study]) -> str:
    phantom = [one.folds[0].facts.get("source") == "phantom" for one in studies]
    if all(phantom):
        return "Trained and tested on synthetic phantoms. These are not BUSI results."
    return "Some of these were tested on synthetic phantoms." if any(phantom) else ""


def _banner(studies: Sequence[Study]) -> str:
    text = _phantoms(studies)
    return f'<div class="banner" role="note">{text}</div>' if text else ""


def _data(studies: Sequence[Study]) -> list[str]:
    """What they were tested on: once each."""
    return list(dict.fromkeys(str(one.folds[0].facts.get("description", "")) for one in studies))


def _header(labels: Sequence[str], studies: Sequence[Study]) -> str:
    what = " beside ".join(labels) if len(labels) < 4 else f"{len(labels)} networks"
    data = "".join(f'<p class="quiet">{escape(line)}</p>' for line in _data(studies))
    return (
        '<header><p class="eyebrow">busjax: segmentation and classification of breast ultrasound'
        f'</p><h1>Comparison</h1><p class="lede">{escape(what)}</p>{data}</header>'
    )


def _dice(labels: Sequence[str], studies: Sequence[Study]) -> str:
    figures = "".join(
        embedded(svg, f"Dice of every {name} image, by network")
        for name, svg in charts.dice_charts(labels, studies).items()
    )
    return (
        '<section><h2>Dice of every image</h2><p class="quiet">Box: quartiles and median. Diamond: '
        f'mean. A normal image has 0 or 1.</p><div class="trio">{figures}</div></section>'
    )


def _confusion(labels: Sequence[str], studies: Sequence[Study]) -> str:
    matrices = "".join(
        f"<div><h3>{escape(label)}</h3>{matrix_table(one.rows)}</div>"
        for label, one in zip(labels, studies, strict=True)
    )
    return (
        '<section><h2>Confusion matrices</h2><p class="quiet">Images, and their share of the true '
        f'class.</p><div class="trio">{matrices}</div></section>'
    )


def _reliability(labels: Sequence[str], studies: Sequence[Study]) -> str:
    figures = "".join(
        f"<div><h3>{escape(label)}</h3>"
        f"{embedded(reliability_chart(one.rows), f'Accuracy by confidence, {label}')}</div>"
        for label, one in zip(labels, studies, strict=True)
    )
    return (
        '<section><h2>Calibration</h2><p class="quiet">Share of right predictions by their '
        "probability, as it is; on the line they are as sure as they are right. The size of a "
        f'point: its images.</p><div class="trio">{figures}</div></section>'
    )


def _origin(labels: Sequence[str], studies: Sequence[Study]) -> str:
    entries: dict[str, Any] = {}
    for label, one in zip(labels, studies, strict=True):
        told = {
            name: sorted({str(fold.facts[name]) for fold in one.folds if name in fold.facts})
            for name in ("commit", "device", "dtype", "refine")
        }
        counts = ", ".join(
            f"{sum(row.class_name == name for row in one.rows)} {name}" for name in CLASSES
        )
        facts = "; ".join(f"{name} {', '.join(values)}" for name, values in told.items() if values)
        entries[label] = f"{one.folder}: {one.protocol}, {counts}; {facts}"
    return (
        f"<section><h2>Where they come from</h2>{definition_list(entries)}</section>"
        '<footer class="quiet">Every number follows from the images.csv of the folders named '
        "here.</footer>"
    )
