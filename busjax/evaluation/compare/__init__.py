"""Runs and cross-validations side by side: tables, paired differences, charts, pictures."""
