"""A run on a disk that becomes full, and again when there is room; then on a read-only one.

    unshare --map-root-user --mount python tests/training/full_disk.py FOLDER

FOLDER becomes a file system of its own, of 150 KiB, within the name space of the program. The exit
codes are printed, one a line.
"""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import interrupted

_SIZES = ("size=150k", "remount,size=20m", "remount,ro")


def mount(folder: str, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent.parent)
    for options in _SIZES:
        mount(sys.argv[1], options)
        print(interrupted.finish(*interrupted.start(f"{sys.argv[1]}/run"), "", None, 0), flush=True)
