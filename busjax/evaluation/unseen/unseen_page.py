"""The page of networks on sets that they have not seen."""

from __future__ import annotations

from collections.abc import Sequence

from busjax.evaluation.unseen import matrix
from busjax.evaluation.unseen.tested import Tested
from busjax.pages.rendering import render

BANNER = "Phantoms take part in this: these are not results on patients."


def page(tested: Sequence[Tested]) -> bytes:
    """One page that needs no other file.

    Args:
        tested: each network on each set.
    """
    return render(
        "unseen.html",
        title="busjax: unseen sets",
        heading="Unseen sets",
        banner=BANNER if any(one.is_phantom for one in tested) else "",
        trained=dict.fromkeys(f"{one.network}: trained on {one.trained}" for one in tested),
        notes=[line for one in tested if (line := said(one))],
        tables=[*matrix.matrices(tested), *filter(None, [matrix.by_scanner(tested)])],
        csv="unseen.csv",
    )


def said(one: Tested) -> str:
    """What a reader must know of a network and a set, in a line; '' nothing."""
    parts = []
    if one.n_seen is None:
        parts.append("which of these images it has seen is not known")
    elif one.n_seen:
        parts.append(f"{one.n_seen} images that it has seen are left out")
    if not one.is_frozen:
        parts.append("no threshold of its validation images is known: it is 0.5")
    return f"{one.network} on {one.tested}: {'; '.join(parts)}" if parts else ""
