"""The earlier name of `busjax.data.readers.phantom`, for scripts that import it."""

from busjax.data.readers.phantom import PhantomSource

__all__ = ["PhantomSource"]
