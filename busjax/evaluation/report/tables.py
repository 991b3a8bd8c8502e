"""The numbers of the report as HTML: cards, the table by class, the confusion matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from busjax.classes import CLASSES
from busjax.runs import results
from busjax.runs.finished import Run
from busjax.runs.rows import ImageRow

_COLUMNS = {  # heading: the score of a class, the score of all images
    "n": ("n_{}", "n_images"),
    "Dice, mean": ("dice_{}", "dice_average"),
    "Dice, median": ("dice_median_{}", "dice_median"),
    "IoU, mean": ("iou_{}", "iou_average"),
    "sensi&shy;tivity": ("sensitivity_{}", "balanced_accuracy"),
    "F1": ("f1_{}", "f1_weighted"),
    "AUC": ("auc_{}", "auc_macro"),
}


def number(value: float) -> str:
    """A score with three decimals, a count with none, a dash where it is undefined."""
    if math.isnan(value):
        return "–"  # noqa: RUF001  (the dash is meant)
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def cards(run: Run) -> str:
    """The four scores that a reader looks for first."""
    scores = run.scores
    return "".join(
        _card(name, scores[key], note)
        for name, key, note in (
            ("Dice average", "dice_average", f"mean per image, n = {scores['n_images']}"),
            ("Accuracy", "accuracy", f"balanced {number(scores['balanced_accuracy'])}"),
            ("F1 weighted", "f1_weighted", "by the size of the classes"),
            ("AUC macro", "auc_macro", "mean of one against rest"),
        )
    )


def _card(name: str, value: float, note: str) -> str:
    width = 0.0 if math.isnan(value) else 100 * value
    return (
        f'<div class="card"><span class="name">{name}</span><b>{number(value)}</b>'
        f'<div class="meter"><i style="width:{width:.1f}%"></i></div>'
        f'<span class="quiet">{note}</span></div>'
    )


def class_table(run: Run) -> str:
    """A row a class, and one of all images."""
    lines = [
        _line(name, [key.format(name) for key, _ in _COLUMNS.values()], run) for name in CLASSES
    ]
    total = _line("all", [key for _, key in _COLUMNS.values()], run, kind="all")
    head = "".join(f'<th scope="col">{heading}</th>' for heading in _COLUMNS)
    return (
        f'<div class="scroll"><table><thead><tr><th scope="col">class</th>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}{total}</tbody>"
        "</table></div>"
    )


def _line(name: str, keys: list[str], run: Run, kind: str = "one") -> str:
    cells = "".join(f"<td>{number(run.scores[key])}</td>" for key in keys)
    return f'<tr class="{kind}"><th scope="row">{name}</th>{cells}</tr>'


_MORE = {
    "sensitivity to malignant at 90 % specificity": "sensitivity_at_90_malignant",
    "expected calibration error": "ece",
    "Brier score": "brier",
    "negative log-likelihood": "nll",
    "class normal, but a mask": "n_mask_on_normal",
    "class of a lesion, but no mask": "n_lesion_without_mask",
    "Hausdorff distance, 95 %, mean (pixels)": "hausdorff95",
    "the same, median": "hausdorff95_median",
    "average distance of the outlines (pixels)": "distance",
    "images with both outlines": "n_outlined",
    "lesions found": "lesion_sensitivity",
    "false lesions an image": "false_lesions",
}


def more(run: Run) -> str:
    """The measures that few look for first, with their names."""
    known = {name: key for name, key in _MORE.items() if key in run.scores}
    return definition_list({name: number(run.scores[key]) for name, key in known.items()})


def set_table(run: Run) -> str:
    """A row a set, where several were joined; '' where there is one."""
    by_set = results.scores_by_set(run.rows)
    if not by_set:
        return ""
    head = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS)
    keys = [key for _, key in _COLUMNS.values()]
    lines = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        f"{''.join(f'<td>{number(scores[key])}</td>' for key in keys)}</tr>"
        for name, scores in by_set.items()
    )
    return (
        '<section><h2>By set</h2><div class="scroll"><table><thead><tr><th scope="col">set</th>'
        f"{head}</tr></thead><tbody>{lines}</tbody></table></div></section>"
    )


def matrix_table(rows: Sequence[ImageRow]) -> str:
    """True classes down, predicted classes across; darker: a larger share of the true class."""
    lines = []
    for name, counts in zip(CLASSES, results.confusion(rows), strict=True):
        cells = "".join(_cell(int(count), int(counts.sum())) for count in counts)
        lines.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
    head = "".join(f'<th scope="col">{name}</th>' for name in CLASSES)
    return (
        '<div class="scroll"><table class="matrix"><thead><tr>'
        f'<th scope="col">true \\ predicted</th>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _cell(count: int, of_class: int) -> str:
    share = count / of_class if of_class else 0.0
    colour = "#fff" if share > 0.55 else "inherit"
    note = f"{share:.0%}" if of_class else number(math.nan)
    return (
        f'<td style="background:rgba(11,105,100,{0.05 + 0.9 * share:.2f});color:{colour}">'
        f"<b>{count}</b><small>{note}</small></td>"
    )


def definition_list(entries: dict[str, object]) -> str:
    """Names and values, escaped."""
    items = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in entries.items()
    )
    return f"<dl>{items}</dl>"
