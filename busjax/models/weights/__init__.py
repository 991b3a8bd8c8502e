"""Published weights -> the parameters of an encoder."""

from busjax.models.weights.efficientnet_lite import fit, load

__all__ = ["fit", "load"]
