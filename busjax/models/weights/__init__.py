"""Published weights -> the parameters of an encoder."""

from busjax.models.weights.efficientnet_lite import fit, read

__all__ = ["fit", "read"]
