"""Trained on x tested on: tables of texts, and a CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from busjax.evaluation.unseen.measure import SCORES, Measured, measure
from busjax.evaluation.unseen.tested import Tested
from busjax.pages.numbers import number
from busjax.pages.tables import Table

_HEAD = ("network", "trained on", "tested on", "scanner", "benign", "malignant", "normal", "seen")


def matrices(tested: Sequence[Tested]) -> list[Table]:
    """A table a score: networks in rows, sets in columns, intervals below."""
    networks = list(dict.fromkeys(one.network for one in tested))
    sets = list(dict.fromkeys(one.tested for one in tested))
    measured = {(one.network, one.tested): measure(one.rows, one.threshold) for one in tested}
    tables = []
    for title, key in SCORES.items():
        rows = [
            (network, [_cell(measured.get((network, name)), key) for name in sets])
            for network in networks
        ]
        tables.append(Table(title, _NOTES[key], ("", *sets), rows))
    return tables


def by_scanner(tested: Sequence[Tested]) -> Table | None:
    """A row a network, set and scanner, where scanners are known; None where none is."""
    rows = [
        (f"{one.network}: {one.tested}, {scanner}", [(str(sum(found.counts)), ""), *(
            _cell(found, key) for key in SCORES.values())])
        for one, scanner, found in _of_scanners(tested)
    ]  # fmt: skip
    return Table("By scanner", "", ("", "images", *SCORES), rows) if rows else None


def _of_scanners(tested: Sequence[Tested]) -> list[tuple[Tested, str, Measured]]:
    found = []
    for one in tested:
        for scanner in sorted(set(one.scanners) - {""}):
            rows = [r for r, s in zip(one.rows, one.scanners, strict=True) if s == scanner]
            found.append((one, scanner, measure(rows, one.threshold)))
    return found


def to_csv(tested: Sequence[Tested]) -> str:
    """A line a network and set, and one a scanner; scores with both ends of their intervals."""
    ends = [f"{key}{end}" for key in SCORES.values() for end in ("", "_low", "_high")]
    lines = [[*_HEAD, "threshold", *ends]]
    whole = [(one, "", measure(one.rows, one.threshold)) for one in tested]
    for one, scanner, found in [*whole, *_of_scanners(tested)]:
        seen = "" if one.n_seen is None else str(one.n_seen)
        counts = [str(count) for count in found.counts]
        cells = [
            one.network,
            one.trained,
            one.tested,
            scanner,
            *counts,
            seen,
            f"{one.threshold:.6g}",
        ]
        for key in SCORES.values():
            low, high = found.intervals.get(key, (float("nan"),) * 2)
            cells += [f"{value:.6g}" for value in (found.scores[key], low, high)]
        lines.append(cells)
    content = io.StringIO()
    csv.writer(content, lineterminator="\n").writerows(lines)
    return content.getvalue()


def _cell(found: Measured | None, key: str) -> tuple[str, str]:
    if found is None:
        return "", ""
    ends = found.intervals.get(key)
    known = ends is not None and all(end == end for end in ends)
    return number(found.scores[key]), f"{ends[0]:.3f} to {ends[1]:.3f}" if known and ends else ""


_NOTES = {
    "dice_lesions": "Over the images with a lesion, in the pixels of the original images.",
    "dice_all": "Over all images; a normal image has 1 without a mask, and 0 with one.",
    "hausdorff95": "95 % Hausdorff distance in pixels of the original image, where both masks have "
    "an outline.",
    "auc": "Malignant against benign, over the images with a lesion.",
    "sensitivity": "To malignant, at the threshold that was chosen on the network's own validation "
    "images (Youden), or at 0.5 where there are none.",
    "specificity": "For benign, at the same threshold.",
    "auc_lesion": "A lesion against none, by the probability of normal: 0.5 is chance.",
    "mask_on_normal": "Share of the normal images on which a mask is drawn: lower is better.",
    "kept": "Share of the images of which the network does not say 'I do not know', by thresholds "
    "of its validation images (config.inference.coverage).",
    "dice_lesions_kept": "Over the images with a lesion of which it does not say 'I do not know'.",
    "ece": "Expected calibration error of the three classes in 15 bins: lower is better.",
}
