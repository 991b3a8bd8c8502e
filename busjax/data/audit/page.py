"""The page of an audit: the images of each group side by side, and what is objected."""

from __future__ import annotations

import base64
import collections
from collections.abc import Sequence
from html import escape

import cv2
import numpy as np

from busjax.classes import CLASSES
from busjax.data.audit.features import shrunk
from busjax.data.audit.objections import Objection
from busjax.data.audit.run import Audit
from busjax.data.records import Record

_STYLE = """
:root { --ink: #1b2430; --muted: #5b6675; --line: #dfe4ea; --warn: #8a1c00; --accent: #0b7f78; }
body { margin: 0; background: #f4f6f8; color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: 24px 20px 48px; }
h1 { margin: 0 0 8px; font-size: 36px; } h2 { font-size: 20px; margin: 0 0 8px; }
section { margin: 16px 0; padding: 18px 20px; background: #fff; border: 1px solid var(--line);
  border-radius: 12px; break-inside: avoid; }
.quiet { color: var(--muted); font-size: 14px; margin: 0 0 8px; }
.row { display: flex; flex-wrap: wrap; gap: 12px; }
figure { margin: 0; width: 200px; } figure img { width: 100%; display: block; background: #000;
  border: 3px solid transparent; border-radius: 6px; }
figure.kept img { border-color: var(--accent); }
figcaption { font-size: 14px; } .warn { color: var(--warn); font-weight: 600; }
table { border-collapse: collapse; } th, td { text-align: left; padding: 4px 16px 4px 0;
  border-bottom: 1px solid var(--line); font-size: 14px; vertical-align: top; }
"""
_OUTLINE = (31, 224, 208)


def page(found: Audit, unusable: Sequence[tuple[str, str]]) -> str:
    """The page as HTML that needs no other file.

    Args:
        found: the audit.
        unusable: files that could not be used, and why.
    """
    inside = sum(len(group.members) for group in found.groups)
    shown = "".join(_group(found, index) for index in range(len(found.groups)))
    counts = collections.Counter(objection.kind for objection in found.objections)
    told = ", ".join(f"{kind}: {count}" for kind, count in counts.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>busjax: audit</title><style>{_STYLE}</style></head><body><main><h1>Audit</h1>"
        f"<p>{len(found.records)} images; {inside} of them in {len(found.groups)} groups of images "
        f"that are one. {escape(told)}</p>"
        '<p class="quiet">The framed image of a group is its representative. Is a group wrong, '
        "write <code>part,ID,ID</code> into a CSV with the first line "
        "<code>action,one,other</code>, or <code>join,ID,ID</code> and <code>drop,ID,</code>, and "
        "audit again with --overrides=FILE.</p>"
        f"{_unusable(unusable)}{shown}{_objections(found)}</main></body></html>\n"
    )


def _unusable(problems: Sequence[tuple[str, str]]) -> str:
    if not problems:
        return ""
    rows = "".join(f"<tr><td>{escape(f)}</td><td>{escape(r)}</td></tr>" for f, r in problems)
    return f"<section><h2>Files that cannot be used</h2><table>{rows}</table></section>"


def _group(found: Audit, index: int) -> str:
    group = found.groups[index]
    best, why = found.representatives[index]
    members = [found.records[member] for member in group.members]
    ids = {record.id for record in members}
    figures = "".join(
        _figure(found.records[member], member == best, why) for member in group.members
    )
    pairs = "; ".join(
        f"{found.records[pair.one].id} and {found.records[pair.other].id}: {pair.match.inliers} "
        f"points agree, correlation {pair.match.correlation:.2f}"
        f"{', mirrored' if pair.mirrored else ''}"
        for pair in group.pairs
    )
    raised = [o for o in found.objections if len(o.ids) > 1 and ids >= set(o.ids)]
    warnings = "".join(f'<p class="warn">{escape(_told(objection))}</p>' for objection in raised)
    return (
        f"<section><h2>Group {index + 1}: {len(members)} images</h2>{warnings}"
        f'<div class="row">{figures}</div><p class="quiet">{escape(pairs)}</p></section>'
    )


def _figure(record: Record, kept: bool, why: str) -> str:
    note = f"<br>kept: {escape(why)}" if kept else ""
    return (
        f'<figure class="{"kept" if kept else "other"}"><img alt="{escape(record.id)}" '
        f'src="data:image/jpeg;base64,{_thumbnail(record)}"><figcaption>{escape(record.id)}, '
        f"{CLASSES[record.label]}, {record.image.shape[1]} x {record.image.shape[0]}{note}"
        "</figcaption></figure>"
    )


def _thumbnail(record: Record) -> str:
    """The image with the outline of its mask, as JPEG in base 64."""
    pixels = cv2.cvtColor(shrunk(record.image), cv2.COLOR_GRAY2BGR)
    mask = (shrunk(record.mask * 255) > 127).astype(np.uint8)
    curves, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(pixels, curves, -1, _OUTLINE[::-1], 1)
    _, content = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return base64.b64encode(content.tobytes()).decode()


def _objections(found: Audit) -> str:
    rows = "".join(
        f"<tr><td>{escape(objection.kind)}</td><td>{escape(', '.join(objection.ids))}</td>"
        f"<td>{escape(objection.detail)}</td></tr>"
        for objection in found.objections
    )
    return f"<section><h2>Objections</h2><table>{rows}</table></section>" if rows else ""


def _told(objection: Objection) -> str:
    return f"{objection.kind}: {', '.join(objection.ids)} ({objection.detail})"
