"""Synthetic B-mode ultrasound images of the breast, for training without data.

An image is followed in one direction: `anatomy` and `lesion` make a `Scene` (what the tissue is),
`imaging` makes the picture (what a scanner shows of it), and `source` offers them as records.
"""

from busjax.data.readers.phantom.source import PhantomSource

__all__ = ["PhantomSource"]
