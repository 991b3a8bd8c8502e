"""DICOM files as pictures: grey levels as a viewer shows them, sizes where they are sure."""

from busjax.inference.dicom.reader import NoPicture, read

__all__ = ["NoPicture", "read"]
