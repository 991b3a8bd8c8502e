"""A finished run as one HTML page to look at."""

from __future__ import annotations

import math
from typing import Any

from etils import epath

from busjax import files
from busjax.classes import CLASSES
from busjax.evaluation import grid
from busjax.evaluation.report import cases, charts, tables
from busjax.files import PathLike
from busjax.pages import drawing
from busjax.pages.drawing import Chart
from busjax.pages.numbers import fact, number
from busjax.pages.rendering import render
from busjax.runs import results
from busjax.runs.finished import Run, read_run

EXTERNAL = "External test: every image of another folder than this network was trained on."
BANNER = "Trained and tested on synthetic phantoms. These are not BUSI results."
_SETS = {
    "busi": "BUSI",
    "phantom": "synthetic phantoms",
    "table": "the images of a table",
    "bus_bra": "BUS-BRA",
    "breast": "BrEaST",
    "bus_uclm": "BUS-UCLM",
    "udiat": "UDIAT",
}
# What a reader may want to open, by the name of the file: of the results, and of the run.
_RESULTS = {
    "images.csv": "scores of every image (CSV)",
    "summary.json": "all scores (JSON)",
    "predictions.npz": "images, annotations and predicted masks (NumPy)",
    "validation.csv": "scores of the validation images (CSV)",
}
_RUN = {
    "MODEL_CARD.md": "model card",
    "config.json": "configuration (JSON)",
    "history.jsonl": "losses and scores by epoch (JSON lines)",
    "split.json": "training, validation and test images (JSON)",
    "calibration.json": "fitted threshold and temperature (JSON)",
    "abstention.safetensors": "when it says 'I do not know' (safetensors)",
}


def write_report(directory: PathLike, results_in: str = results.FOLDER) -> epath.Path:
    """Writes the page of a run, one file that needs no other, and returns its path.

    The page of an external test, whose results are in another folder, goes into that folder.

    Raises:
        UserError: a file of the run is missing or broken.
    """
    run = read_run(directory, results_in)
    path = results.report_path(directory, results_in)
    files.replace(path, _page(run, _links(epath.Path(directory), results_in)))
    return path


def _page(run: Run, links: dict[str, str]) -> bytes:
    tested = "synthetic phantoms" if run.is_phantom else "test results"
    return render(
        "run.html",
        title=f"{run.name}: {tested}",
        heading=run.name,
        banner=BANNER if run.is_phantom else "",
        tested_on=_tested_on(run),
        n_images=run.scores["n_images"],
        counts=", ".join(f"{run.scores[f'n_{name}']} {name}" for name in CLASSES),
        external=_external(run),
        description=run.facts.get("description", run.facts["source"]),
        cards=tables.cards(run),
        by_class=tables.by_class(run),
        by_set=tables.by_set(run),
        by_grid=tables.by_grid(run),
        grid=grid.of_results(run.facts, run.config),
        dice=_dice_chart(run),
        confusion=tables.confusion(run.rows),
        more=tables.more(run),
        calibration=drawing.chart(charts.reliability_chart(run.rows), "Accuracy by confidence"),
        kept=tables.kept(run),
        coverage=_coverage(run),
        curves=_curves(run),
        colours={"truth": drawing.TRUTH, "prediction": drawing.PREDICTION},
        cases={name: cases.cases_of(run, name) for name in CLASSES},
        images=tables.images(run.rows),
        facts=_facts(run),
        changed=run.changed_fields(),
        files=links,
        config=run.config,
    )


def _tested_on(run: Run) -> str:
    if run.is_external:
        return "images of another set, all of them"
    sets = str(run.facts["source"]).split("+")  # joined ones
    return " and ".join(_SETS.get(name, f"the set '{name}'") for name in sets)


def _external(run: Run) -> str:
    if not run.is_external:
        return ""
    seen = run.facts.get("images_seen_in_training", 0)
    caution = f" But {seen} of them are, pixel for pixel, among those it learnt." if seen else ""
    return f"{EXTERNAL}{caution}"


def _dice_chart(run: Run) -> Chart:
    means = ", ".join(f"{name} {number(run.scores[f'dice_{name}'])}" for name in CLASSES)
    return drawing.chart(
        charts.dice_chart(run.rows), f"Dice of every test image by class; mean {means}"
    )


def _coverage(run: Run) -> Chart | None:
    """Scores of what is kept, where it is known of every image how doubtful it is."""
    if "n_kept" not in run.scores:
        return None
    kept, count = run.scores["n_kept"], run.scores["n_images"]
    said = f"Dice and accuracy by the share of images that is kept; {kept} of {count} are kept"
    return drawing.chart(charts.coverage_chart(run.rows), said)


def _curves(run: Run) -> list[Chart]:
    """Loss and scores by epoch; none where no history was kept."""
    if not run.history:
        return []
    chosen = run.chosen_epoch
    mark = "" if chosen is None else f"; the checkpoint of epoch {chosen} was evaluated"
    return [
        drawing.chart(draw(run.history, chosen), f"{name} by epoch{mark}", name)
        for name, draw in (("Loss", charts.loss_chart), ("Validation scores", charts.score_chart))
    ]


def _facts(run: Run) -> dict[str, Any]:
    facts = {
        name.replace("_", " "): fact(value)
        for name, value in run.facts.items()
        if not (isinstance(value, float) and math.isnan(value)) and not name.startswith(grid.OTHER)
    }
    if run.history:
        minutes = sum(entry["seconds"] for entry in run.history) / 60
        facts |= {"epochs": str(len(run.history)), "minutes of training": f"{minutes:.1f}"}
    return facts


def _links(folder: epath.Path, results_in: str) -> dict[str, str]:
    """To the files of the run that are there, from where its page lies, by what they hold."""
    below = results_in == results.FOLDER
    to_results, to_run = (f"{results_in}/", "") if below else ("", "../")
    links = {
        title: f"{to_results}{name}"
        for name, title in _RESULTS.items()
        if (folder / results_in / name).exists()
    }
    return links | {
        title: f"{to_run}{name}" for name, title in _RUN.items() if (folder / name).exists()
    }
