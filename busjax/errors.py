"""The one error that a user can cause and mend."""


class UserError(Exception):
    """What is wrong and what to do about it, in words for the user.

    `busjax.main` prints the message on one line (without a traceback) and exits with code 1.
    """
