"""Trained networks, wherever they lie: in the folder of a run, or in one that was handed over."""
