"""The earlier name of `busjax.data.readers.table`, for scripts that import it."""

from busjax.data.readers.table import TableSource

__all__ = ["TableSource"]
