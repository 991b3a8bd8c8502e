"""busjax: multi-task learning on breast ultrasound (segmentation and classification) in JAX."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from busjax.inference.load import Predictor


def load(
    run: str | os.PathLike[str], *others: str | os.PathLike[str], **inference: Any
) -> Predictor:
    """Opens the best checkpoint of a run: `busjax.load(RUN)(image)` gives a `Reading`.

    Args:
        run: its folder.
        others: folders of runs of the same network, whose probabilities are averaged with its own.
        inference: fields of `config.inference` (flips, threshold, ...), or `refine`, to be others
            than the run's.

    Raises:
        UserError: a folder holds no run, or no checkpoint; a value that a field cannot take.
    """
    from busjax.inference.load import load  # JAX is imported when it is needed

    return load(run, *others, **inference)
