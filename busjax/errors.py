"""How a command ends early: the error that a user can mend, and the end that SIGTERM asks for."""

from __future__ import annotations

import errno
import re
import sys

_NO_FOLDER = (errno.ENOTDIR, errno.EEXIST)

AGAIN = 75
"""Exit code after which the same command, started again, goes on (EX_TEMPFAIL of sysexits.h)."""


class UserError(Exception):
    """What is wrong and what to do about it, in words for the user.

    `busjax.main` prints the message on one line (without a traceback) and exits with code 1.
    """


class Preempted(BaseException):
    """SIGTERM has come, by which a machine is taken away; what can be saved is saved.

    It is no `Exception`: what mends errors lets it through, as it does KeyboardInterrupt.
    """


def in_one_line(error: object) -> str:
    """What an error says, in one line, without the addresses of objects that libraries print."""
    said = str(error)
    if isinstance(error, OSError) and error.filename and error.strerror:
        # Not the name of the file beside it that is renamed once it is whole.
        name = re.sub(r"/\.([^/]+)\.\w{8}$", r"/\1", str(error.filename))
        what = "a part of its path is a file" if error.errno in _NO_FOLDER else error.strerror
        said = f"'{name}' cannot be used: {what}"
    text = re.sub(r" ?<[^<>]* object at 0x[0-9a-f]+>", "", said)
    return " ".join(text.split())


def tell(error: object) -> int:
    """Prints what is wrong, in one line on standard error; returns the exit code, 1."""
    # In one piece: threads of libraries may write between two.
    sys.stderr.write(f"busjax: {in_one_line(error)}\n")
    return 1
