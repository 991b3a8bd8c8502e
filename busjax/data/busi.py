"""The earlier name of `busjax.data.readers.busi`, for scripts that import it."""

from busjax.data.readers.busi import BusiSource

__all__ = ["BusiSource"]
