"""Runs and cross-validations side by side: tables, paired differences, charts, pictures."""

SHOWN = ("images", "folds", "more", "differences")
"""Over all images, over folds, further measures, differences from the first study."""

TABLES = (*SHOWN, "confusion")
"""Those, and predicted classes, which the page draws as matrices instead."""
