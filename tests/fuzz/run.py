"""Damages files at random and says which were neither read nor named.

    python -m tests.fuzz.run --count=10000 [--seed=0] [--network=FOLDER] [KIND ...]

FOLDER: a network that was handed over, for the kind 'model'.
"""

import argparse
import logging
import random
import resource
import sys
import time
import warnings

from tests.fuzz import kinds
from tests.fuzz.damage import damaged

_LONGEST = 20  # seconds for one file
_MEMORY = 12 * 2**30


def attack(kind, count, seed):
    """Yields (number, what went wrong) of the damages that a kind does not stand."""
    for number in range(count):
        content = damaged(kind.content, random.Random(f"{seed} {number}"))
        start = time.monotonic()
        try:
            kind.read(content)
        except Exception as error:
            yield number, f"{type(error).__name__}: {str(error)[:200]}"
        if (taken := time.monotonic() - start) > _LONGEST:
            yield number, f"took {taken:.0f} s"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--network")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    bad = 0
    for name in options.kinds or [*kinds.KINDS, *(["model"] if options.network else [])]:
        start = time.monotonic()
        found = list(attack(kinds.made(name, options.network), options.count, options.seed))
        taken = time.monotonic() - start
        print(f"{name}: {options.count} damages, {len(found)} bad, {taken:.0f} s", flush=True)
        for number, what in found[:10]:
            print(f"  {number}: {what}", flush=True)
        bad += len(found)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
