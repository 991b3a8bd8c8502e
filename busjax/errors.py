"""The one error that a user can cause and mend, and how a command tells it."""

from __future__ import annotations

import sys


class UserError(Exception):
    """What is wrong and what to do about it, in words for the user.

    `busjax.main` prints the message on one line (without a traceback) and exits with code 1.
    """


def tell(error: object) -> int:
    """Prints what is wrong, in one line on standard error; returns the exit code, 1."""
    print(f"busjax: {' '.join(str(error).split())}", file=sys.stderr)
    return 1
