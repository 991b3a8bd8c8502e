"""Trained networks for programs without busjax."""
