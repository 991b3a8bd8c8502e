"""`python -m busjax COMMAND`, the same as `busjax COMMAND`."""

import sys

from busjax.commands import main

if __name__ == "__main__":
    sys.exit(main())
