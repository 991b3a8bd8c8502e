"""A comparison as one HTML page, and as Markdown."""

from __future__ import annotations

import functools
import os
import urllib.parse
from collections.abc import Sequence
from typing import Any

from etils import epath

from busjax.classes import CLASSES
from busjax.evaluation import grid, scores, study
from busjax.evaluation.compare import SHOWN, charts, paired, tables
from busjax.evaluation.compare.published import Published
from busjax.evaluation.report.charts import reliability_chart
from busjax.evaluation.report.tables import confusion
from busjax.evaluation.study import Study
from busjax.pages import drawing
from busjax.pages.drawing import Chart
from busjax.pages.rendering import render
from busjax.pages.tables import Table
from busjax.pages.tables import markdown as as_markdown
from busjax.runs import results


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
        minus_first = [paired.difference(one, studies[0]) for one in studies[1:]]
        return tables.differences(labels[1:], labels[0], minus_first)

    makers = {
        "images": lambda: tables.pooled(labels, summaries()),
        "folds": lambda: tables.over_folds(labels, summaries(), others),
        "more": lambda: tables.more(labels, summaries()),
        "differences": differences,
        "confusion": lambda: tables.confusion(labels, studies),
    }
    return [makers[name]() for name in wanted if name != "differences" or len(studies) > 1]


def names(studies: Sequence[Study]) -> list[str]:
    """What each study is called: its name and that of the evaluation, its folder if they agree."""
    plain = [
        " ".join((one.name, one.results_in.removeprefix(results.FOLDER).strip("_"))).strip()
        for one in studies
    ]
    folders = _short_folders(studies)
    return [
        name if plain.count(name) == 1 else f"{name} ({folder})"
        for name, folder in zip(plain, folders, strict=True)
    ]


def _short_folders(studies: Sequence[Study]) -> list[str]:
    """The last part of each folder, or all of it where two end alike."""
    last = [epath.Path(one.folder).name for one in studies]
    return [
        one.folder if last.count(name) > 1 else name
        for one, name in zip(studies, last, strict=True)
    ]


def html(
    labels: Sequence[str], studies: Sequence[Study], shown: Sequence[Table], out: epath.Path
) -> bytes:
    """One page that needs no other file, and links to those of the studies.

    Args:
        labels: names of the studies.
        studies: that are compared.
        shown: their tables.
        out: where the page will lie, beside its tables in Markdown.
    """
    what = " beside ".join(labels) if len(labels) < 4 else f"{len(labels)} networks"
    return render(
        "comparison.html",
        title="busjax: comparison",
        heading="Comparison",
        banner=_phantoms(studies),
        compared=what,
        data=_data(studies),
        tables=shown,
        dice=_dice(labels, studies),
        confusions=dict(zip(labels, (confusion(one.rows) for one in studies), strict=True)),
        calibrations=_calibrations(labels, studies),
        origins=dict(zip(labels, map(_origin, studies), strict=True)),
        files={label: _links(one, out) for label, one in zip(labels, studies, strict=True)},
        markdown=out.with_suffix(".md").name,
    )


def markdown(studies: Sequence[Study], shown: Sequence[Table]) -> str:
    """The tables alone."""
    caution = f"**{_phantoms(studies)}**\n\n" if _phantoms(studies) else ""
    data = "\n".join(f"* {line}" for line in _data(studies))
    return f"{caution}{data}\n\n" + "\n".join(as_markdown(table) for table in shown)


def _phantoms(studies: Sequence[Study]) -> str:
    phantom = [one.folds[0].facts.get("source") == "phantom" for one in studies]
    if all(phantom):
        return "Trained and tested on synthetic phantoms. These are not BUSI results."
    return "Some of these were tested on synthetic phantoms." if any(phantom) else ""


def _data(studies: Sequence[Study]) -> list[str]:
    """What they were tested on, once each, and whether masks were compared in different pixels."""
    lines = dict.fromkeys(str(one.folds[0].facts.get("description", "")) for one in studies)
    of_image = [one.name for one in studies if one.grid == grid.name(None, grid.IMAGE)]
    if 0 < len(of_image) < len(studies):
        return [*lines, f"Masks compared in the original images: {', '.join(of_image)}; of the "
                "others as the network sees them. Dice and distances differ by that."]  # fmt: skip
    return list(lines)


def _dice(labels: Sequence[str], studies: Sequence[Study]) -> list[Chart]:
    return [
        drawing.chart(svg, f"Dice of every {name} image, by network", name.capitalize())
        for name, svg in charts.dice_charts(labels, studies).items()
    ]


def _calibrations(labels: Sequence[str], studies: Sequence[Study]) -> list[Chart]:
    return [
        drawing.chart(reliability_chart(one.rows), f"Accuracy by confidence, {label}", label)
        for label, one in zip(labels, studies, strict=True)
    ]


def _origin(one: Study) -> str:
    """How it was tested, on what, and by which version on which machine."""
    values = {
        name: sorted({str(fold.facts[name]) for fold in one.folds if name in fold.facts})
        for name in ("commit", "device", "dtype", "refine")
    }
    counts = ", ".join(
        f"{sum(row.class_name == name for row in one.rows)} {name}" for name in CLASSES
    )
    facts = "; ".join(f"{name} {', '.join(each)}" for name, each in values.items() if each)
    return f"{one.folder}: {one.protocol}, {counts}; {facts}"


def _links(one: Study, out: epath.Path) -> dict[str, str]:
    """To the pages and tables of each run of a study that are there, from where the page lies."""
    links: dict[str, str] = {}
    for fold in one.folds:
        run = epath.Path(one.folder)
        prefix = ""
        if fold.index is not None:
            run, prefix = run / study.fold_name(fold.index), f"fold {fold.index}: "
        targets = {
            "report": results.report_path(run, one.results_in),
            "images.csv": run / one.results_in / "images.csv",
        }
        links |= {
            prefix + name: _relative(path, out) for name, path in targets.items() if path.exists()
        }
    return links


def _relative(path: epath.Path, page: epath.Path) -> str:
    """The way from a page to a file; the whole address where one of them is in a bucket."""
    if "://" in f"{path}{page}":
        return os.fspath(path)
    return urllib.parse.quote(epath.Path(os.path.relpath(path, page.parent)).as_posix())
