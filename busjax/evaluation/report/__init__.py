"""The page of a finished run: scores, curves, cases; its drawings and its look serve others."""
