"""A finished run as one HTML page to look at.

python -m busjax.evaluation.report RUN [--overlays=FILE.png]
"""

from __future__ import annotations

import argparse
import math
import sys
from html import escape

from etils import epath

from busjax import files
from busjax.classes import CLASSES
from busjax.errors import UserError
from busjax.evaluation import report_cases, report_charts, report_tables, results
from busjax.evaluation.report_cases import Case
from busjax.evaluation.report_drawing import embedded
from busjax.evaluation.report_run import Run, read_run
from busjax.evaluation.report_style import STYLE
from busjax.files import PathLike

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
    what = "synthetic phantoms" if run.is_phantom else "BUSI"
    if run.is_external:
        what = "images of another set, all of them"
    external = _external(run) if run.is_external else ""
    return (
        '<header><p class="eyebrow">busjax: segmentation and classification of breast ultrasound'
        f"</p><h1>{escape(run.name)}</h1>"
        f'<p class="lede">Tested on {what}, n = {run.scores["n_images"]}: {counts}.</p>{external}'
        f'<p class="quiet">{escape(str(run.facts.get("description", run.facts["source"])))}</p>'
        f'</header><div class="cards">{report_tables.cards(run)}</div>'
    )


def _external(run: Run) -> str:
    seen = run.facts.get("images_seen_in_training", 0)
    caution = f" But {seen} of them are, pixel for pixel, among those it learnt." if seen else ""
    return f'<p class="lede"><b>{EXTERNAL}{caution}</b></p>'


def _scores(run: Run) -> str:
    chart = embedded(
        report_charts.dice_chart(run.rows),
        "Dice of every test image by class; mean "
        + ", ".join(f"{n} {report_tables.number(run.scores[f'dice_{n}'])}" for n in CLASSES),
    )
    return (
        "<section><h2>By class</h2>"
        '<p class="quiet">Dice and IoU: per image, then averaged; two empty masks agree (1), one'
        " empty mask does not (0). In the last row sensitivity is balanced accuracy, F1 is weighted"
        f" by class size, AUC is the mean of the classes.</p>{report_tables.class_table(run)}"
        '</section><div class="pair"><section><h2>Dice of every image</h2>'
        '<p class="quiet">Box: quartiles and median. Diamond: mean.</p>'
        f"{chart}</section><section><h2>Confusion matrix</h2>"
        '<p class="quiet">Images, and their share of the true class.</p>'
        f"{report_tables.matrix_table(run.rows)}</section></div>"
        f'<div class="pair"><section><h2>More measures</h2>{report_tables.more(run)}</section>'
        "<section><h2>Calibration</h2>"
        '<p class="quiet">Share of right predictions by their probability; on the line they are as '
        "sure as they are right. The size of a point: its images.</p>"
        f"{embedded(report_charts.reliability_chart(run.rows), 'Accuracy by confidence')}"
        "</section></div>"
    )


def _training(run: Run) -> str:
    if not run.history:
        return ""
    charts = {"Loss": report_charts.loss_chart, "Validation scores": report_charts.score_chart}
    chosen = run.chosen_epoch
    mark = "" if chosen is None else f"; the checkpoint of epoch {chosen} was evaluated"
    sections = "".join(
        f"<section><h2>{name}</h2>"
        f"{embedded(chart(run.history, chosen), f'{name} by epoch{mark}')}</section>"
        for name, chart in charts.items()
    )
    return f'<div class="pair">{sections}</div>'


def _cases(run: Run) -> str:
    shown = {name: report_cases.cases_of(run, name) for name in CLASSES}
    groups = "".join(
        f"<h3>{name.capitalize()}</h3>"
        + "".join(_case(case, f"{name}-{case.rank}") for case in cases)
        for name, cases in shown.items()
        if cases
    )
    return (
        '<section class="long"><h2>Best, median and worst</h2>'
        '<p class="quiet">Of each class by Dice; where Dice is equal, by the probability of the'
        " true class.</p>"
        f'<ul class="legend"><li><i style="border-color:{report_cases.TRUTH}"></i>annotation</li>'
        f'<li><i style="border-color:{report_cases.PREDICTION}"></i>prediction</li></ul>'
        f"{groups}</section>"
    )


def _case(case: Case, identifier: str) -> str:
    row = case.row
    outlines = {"image": True, "truth": case.truth, "prediction": case.prediction}
    panels = "".join(
        f'<figure role="img" aria-label="{name} of {escape(row.id)}">{svg}'
        f"<figcaption>{name}{'' if outlines[name] else ': no lesion'}</figcaption></figure>"
        for name, svg in report_cases.panels(case, identifier).items()
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
    changes = report_tables.definition_list(changed) if changed else "<p>None.</p>"
    fields = "".join(
        f"<li><code>{escape(f'{name} = {value}')}</code></li>" for name, value in run.config.items()
    )
    return (
        f'<div class="pair"><section><h2>This run</h2>{report_tables.definition_list(facts)}'
        "</section><section><h2>Config</h2>"
        f'<p class="quiet">Fields that are not the default.</p>{changes}</section></div>'
        f"<section><details><summary>All {len(run.config)} config fields</summary>"
        f'<ul class="columns">{fields}</ul></details></section>'
        '<footer class="quiet">Every score follows from evaluation/images.csv; it was computed'
        " from that file again for this page.</footer>"
    )


def main(arguments: list[str] | None = None) -> int:
    """Writes the report of a run folder; 1 and one line when that cannot be done."""
    parser = argparse.ArgumentParser(description="Writes report.html in the folder of a run.")
    parser.add_argument("run", type=files.locate, help="folder of the run, e.g. runs/unet")
    parser.add_argument(
        "--overlays", type=files.locate, metavar="PNG", help="also a picture of overlays"
    )
    options = parser.parse_args(arguments)
    try:
        print(write_report(options.run))
        if options.overlays:
            report_cases.overlay_figure(options.run, options.overlays)
            print(options.overlays)
    except (UserError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
