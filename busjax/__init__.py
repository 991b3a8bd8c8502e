"""busjax: multi-task learning on breast ultrasound (segmentation and classification) in JAX."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from busjax.inference.load import Predictor


def load(run: str | os.PathLike[str]) -> Predictor:
    """Opens the best checkpoint of a run: `busjax.load(RUN)(image)` gives a `Reading`.

    Raises:
        UserError: the folder holds no run, or no checkpoint.
    """
    from busjax.inference.load import load  # JAX is imported when it is needed

    return load(run)
