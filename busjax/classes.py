"""The class names, once, and their indices."""

CLASSES: tuple[str, ...] = ("benign", "malignant", "normal")
BENIGN, MALIGNANT, NORMAL = range(3)
