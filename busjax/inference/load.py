"""The earlier name of `busjax.inference.predictor`, for scripts that import it."""

from busjax.inference.predictor import Predictor, Reading, load

__all__ = ["Predictor", "Reading", "load"]
