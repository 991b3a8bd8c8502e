"""Whether a frame is a B-mode picture of one view: what its pixels alone say against it.

What only looks unlike the training images is told by `networks.abstention`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from busjax.inference import views
from busjax.inference.frame import Frame
from busjax.inference.views import View

# None of the 780 images of BUSI (320 pixels) and the 1,875 of BUS-BRA comes near: they hold 35 % of
# bright pixels and more, a mean of at most 187 grey levels, and a deviation of 15 and more.
_COLOURED = 0.01  # share of the frame
_BRIGHT, _FEW_BRIGHT = 10, 0.1  # grey levels, and share of the pixels above them
_WHITE = 220  # mean grey level
_FLAT = 6  # standard deviation of the grey levels


def objections(frame: Frame, parts: Sequence[View]) -> tuple[str, ...]:
    """What speaks against a frame, each in words; nothing: it may be a B-mode picture.

    Args:
        frame: as it was read.
        parts: of it that the network reads, each by itself.
    """
    seen = np.concatenate([part.of(frame.pixels).ravel() for part in parts])
    found = []
    if frame.coloured >= _COLOURED:
        found.append(
            f"colours cover {frame.coloured:.0%} of it, as in Doppler, elastography or a photograph"
        )
    if (seen > _BRIGHT).mean() < _FEW_BRIGHT:
        found.append("it is nearly black")
    elif seen.mean() > _WHITE:
        found.append("it is nearly white")
    elif seen.std() < _FLAT:
        found.append("it has hardly any contrast")
    n_views = max(len(views.scanned(part.of(frame.pixels))) for part in parts)
    if n_views > 1:
        found.append(
            f"it seems to hold {n_views} views, read as one: inference.crop=scan reads each"
        )
    return tuple(found)
