"""The settings of a run: frozen dataclasses, one a section, checked when they are made.

Every field stands in one place with its type, default, range or choices, meaning and unit. On the
command line it is set as --config.<section>.<field>=<value>.
"""

from busjax.config.augment import Augment
from busjax.config.cross_validation import CrossValidation
from busjax.config.data import Data, Table
from busjax.config.inference import Inference
from busjax.config.loss import Loss
from busjax.config.model import Model
from busjax.config.optim import Optim
from busjax.config.parallel import Parallel
from busjax.config.settings import (
    FIELDS,
    FREE,
    INFERENCE,
    MEANINGS,
    PATHS,
    Config,
    differing,
    flatten,
)
from busjax.config.train import SCORES, Train

__all__ = [
    "FIELDS",
    "FREE",
    "INFERENCE",
    "MEANINGS",
    "PATHS",
    "SCORES",
    "Augment",
    "Config",
    "CrossValidation",
    "Data",
    "Inference",
    "Loss",
    "Model",
    "Optim",
    "Parallel",
    "Table",
    "Train",
    "differing",
    "flatten",
]
