"""A finished run as one HTML page to look at."""

from __future__ import annotations

import math
from html import escape

from etils import epath

from busjax import files
from busjax.classes import CLASSES
from busjax.evaluation.report import cases, charts, tables
from busjax.evaluation.report.cases import Case
from busjax.evaluation.report.drawing import embedded
from busjax.evaluation.report.style import STYLE
from busjax.files import PathLike
from busjax.runs import results
from busjax.runs.finished import Run, read_run

EXTERNAL = "External test: every image of another folder than this network was trained on."
BANNER = "Trained and tested on synthetic phantoms. These are not BUSI results."


def write_report(directory: PathLike, results_in: str = results.FOLDER) -> epath.Path:
    """Writes directory/report.html, one file that needs no other, and returns its path.

    The page of an external test, whose results are in another folder, goes into that folder.

    Raises:
        UserError: a file of the run is missing or broken.
    """
    run = read_run(directory, results_in)
    own = results_in == results.FOLDER
    path = epath.Path(directory) / ("" if own else results_in) / "report.html"
    files.replace(path, _page(run).encode())
    return path


def _page(run: Run) -> str:
    phantom = f'<div class="banner" role="note">{BANNER}</div>' if run.is_phantom else ""
    title = f"{run.name}: {'synthetic phantoms' if run.is_phantom else 'test results'}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{phantom}<main>"
        f"{_header(run)}{_scores(run)}{_training(run)}{_cases(run)}{_facts(run)}"
        "</main></body></html>\n"
    )


def _header(run: Run) -> str:
    counts = ", ".join(f"{run.scores[f'n_{name}']} {name}" for name in CLASSES)
    by_source = {"phantom": "synthetic phantoms", "table": "the images of a table"}
    what = by_source.get(str(run.facts["source"]), "BUSI")
    if run.is_external:
        what = "images of another set, all of them"
    external = _external(run) if run.is_external else ""
    return (
        '<header><p class="eyebrow">busjax: segmentation and classification of breast ultrasound'
        f"</p><h1>{escape(run.name)}</h1>"
        f'<p class="lede">Tested on {what}, n = {run.scores["n_images"]}: {counts}.</p>{external}'
        f'<p class="quiet">{escape(str(run.facts.get("description", run.facts["source"])))}</p>'
        f'</header><div class="cards">{tables.cards(run)}</div>'
    )


def _external(run: Run) -> str:
    seen = run.facts.get("images_seen_in_training", 0)
    caution = f" But {seen} of them are, pixel for pixel, among those it learnt." if seen else ""
    return f'<p class="lede"><b>{EXTERNAL}{caution}</b></p>'


def _scores(run: Run) -> str:
    chart = embedded(
        charts.dice_chart(run.rows),
        "Dice of every test image by class; mean "
        + ", ".join(f"{n} {tables.number(run.scores[f'dice_{n}'])}" for n in CLASSES),
    )
    return (
        "<section><h2>By class</h2>"
        '<p class="quiet">Dice and IoU: per image, then averaged; two empty masks agree (1), one'
        " empty mask does not (0). In the last row sensitivity is balanced accuracy, F1 is weighted"
        f" by class size, AUC is the mean of the classes.</p>{tables.class_table(run)}"
        f'</section>{tables.set_table(run)}<div class="pair"><section><h2>Dice of every image</h2>'
        '<p class="quiet">Box: quartiles and median. Diamond: mean.</p>'
        f"{chart}</section><section><h2>Confusion matrix</h2>"
        '<p class="quiet">Images, and their share of the true class.</p>'
        f"{tables.matrix_table(run.rows)}</section></div>"
        f'<div class="pair"><section><h2>More measures</h2>{tables.more(run)}</section>'
        "<section><h2>Calibration</h2>"
        '<p class="quiet">Share of right predictions by their probability; on the line they are as '
        "sure as they are right. The size of a point: its images.</p>"
        f"{embedded(charts.reliability_chart(run.rows), 'Accuracy by confidence')}"
        "</section></div>"
    )


def _training(run: Run) -> str:
    if not run.history:
        return ""
    by_title = {"Loss": charts.loss_chart, "Validation scores": charts.score_chart}
    chosen = run.chosen_epoch
    mark = "" if chosen is None else f"; the checkpoint of epoch {chosen} was evaluated"
    sections = "".join(
        f"<section><h2>{name}</h2>"
        f"{embedded(chart(run.history, chosen), f'{name} by epoch{mark}')}</section>"
        for name, chart in by_title.items()
    )
    return f'<div class="pair">{sections}</div>'


def _cases(run: Run) -> str:
    shown = {name: cases.cases_of(run, name) for name in CLASSES}
    groups = "".join(
        f"<h3>{name.capitalize()}</h3>"
        + "".join(_case(case, f"{name}-{case.rank}") for case in found)
        for name, found in shown.items()
        if found
    )
    return (
        '<section class="long"><h2>Best, median and worst</h2>'
        '<p class="quiet">Of each class by Dice; where Dice is equal, by the probability of the'
        " true class.</p>"
        f'<ul class="legend"><li><i style="border-color:{cases.TRUTH}"></i>annotation</li>'
        f'<li><i style="border-color:{cases.PREDICTION}"></i>prediction</li></ul>'
        f"{groups}</section>"
    )


def _case(case: Case, identifier: str) -> str:
    row = case.row
    outlines = {"image": True, "truth": case.truth, "prediction": case.prediction}
    panels = "".join(
        f'<figure role="img" aria-label="{name} of {escape(row.id)}">{svg}'
        f"<figcaption>{name}{'' if outlines[name] else ': no lesion'}</figcaption></figure>"
        for name, svg in cases.panels(case, identifier).items()
    )
    verdict = "right" if row.predicted == row.class_name else "wrong"
    return (
        f'<article class="case"><div class="panels">{panels}</div><div class="about">'
        f'<div><span class="rank">{case.rank}</span>'
        f'<p class="dice">{row.dice:.3f} <small>Dice</small></p></div>'
        f'<div><p>{escape(row.id)}</p><p>is {row.class_name}</p><p class="{verdict}">'
        f"predicted {row.predicted} ({max(row.probabilities):.0%})</p></div></div></article>"
    )


def _facts(run: Run) -> str:
    facts = {
        name.replace("_", " "): f"{value:,}" if isinstance(value, int) else value
        for name, value in run.facts.items()
        if not (isinstance(value, float) and math.isnan(value))
    }
    if run.history:
        minutes = sum(entry["seconds"] for entry in run.history) / 60
        facts |= {"epochs": len(run.history), "minutes of training": f"{minutes:.1f}"}
    changed = run.changed_fields()
    changes = tables.definition_list(changed) if changed else "<p>None.</p>"
    fields = "".join(
        f"<li><code>{escape(f'{name} = {value}')}</code></li>" for name, value in run.config.items()
    )
    return (
        f'<div class="pair"><section><h2>This run</h2>{tables.definition_list(facts)}'
        "</section><section><h2>Config</h2>"
        f'<p class="quiet">Fields that are not the default.</p>{changes}</section></div>'
        f"<section><details><summary>All {len(run.config)} config fields</summary>"
        f'<ul class="columns">{fields}</ul></details></section>'
        '<footer class="quiet">Every score follows from evaluation/images.csv; it was computed'
        " from that file again for this page.</footer>"
    )
