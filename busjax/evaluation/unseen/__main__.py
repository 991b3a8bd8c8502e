"""Networks on sets of other clinics, without the images that they have seen.

    busjax unseen --network=RUN --dir=FOLDER --out=DIR

Leaves a page (index.html), unseen.csv, and each network's results beside its own, in the folder
evaluation_unseen_SET; the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

from busjax import files
from busjax.command_line import Parser
from busjax.errors import UserError, tell


def main(arguments: list[str] | None = None) -> int:
    """Does what the command line asks for and returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        _test(options)
    except (UserError, OSError) as error:
        return tell(error)
    except KeyboardInterrupt:
        print("busjax: stopped; the same command goes on", file=sys.stderr)
        return 130
    return 0


def _test(options: argparse.Namespace) -> None:
    # JAX and all that takes long to import.
    from absl import logging

    from busjax import compilation
    from busjax.evaluation.unseen import tested, unseen_page
    from busjax.evaluation.unseen.matrix import matrices, to_csv
    from busjax.networks import places

    logging.set_verbosity(logging.ERROR)  # Orbax tells of every step it takes
    compilation.keep()
    directories = [files.locate(directory) for directory in options.dir]
    out = files.locate(options.out)
    out.mkdir(parents=True, exist_ok=True)
    networks = [_writable(place, Path(out)) for place in options.network]
    names = [places.find(network).name for network in networks]
    _check_names(list(itertools.product(names, [folder.name for folder in directories])))
    every = []
    for network, folder in itertools.product(networks, directories):
        try:
            every.append(tested.of(network, folder))
        except tested.AllSeen as error:
            print(f"left out: {error}")
    if not every:
        raise UserError("nothing is left to test on: give sets that the networks have not seen")
    files.replace(out / "unseen.csv", to_csv(every).encode())
    files.replace(out / "index.html", unseen_page.page(every))
    for line in filter(None, map(unseen_page.said, every)):
        print(line)
    for table in matrices(every):
        print(f"{table.title}: {'; '.join(_row(table.head, *row) for row in table.rows)}")
    print(out / "index.html")


def _writable(place: str, out: Path) -> str:
    """A network where results can be written beside it: a packaged one is copied into `out`."""
    from busjax.networks import packaged

    if place not in packaged.names():
        return place
    packaged.unpack(place, out / place)
    return str(out / place)


def _row(head: tuple[str, ...], name: str, cells: list[tuple[str, str]]) -> str:
    said = [
        f"{of} {value}{f' [{ends}]' if ends else ''}"
        for of, (value, ends) in zip(head[1:], cells, strict=True)
    ]
    return f"{name} on {', '.join(said)}"


def _check_names(pairs: list[tuple[str, str]]) -> None:
    if len(set(pairs)) < len(pairs):
        network, name = max(pairs, key=pairs.count)
        raise UserError(
            f"two networks '{network}', or two folders '{name}': give those of different names"
        )


def _parser() -> argparse.ArgumentParser:
    parser = Parser("busjax unseen", __doc__ or "")
    parser.add_argument(
        "--network", "--workdir", required=True, action="append", metavar="NETWORK",
        help="folder of a run, or of a network that was handed over; several: given again",
    )  # fmt: skip
    parser.add_argument(
        "--dir", required=True, action="append", metavar="FOLDER",
        help="a set, known by its layout (BUSI, BUS-BRA, BrEaST, BUS-UCLM, UDIAT); several: given "
        "again",
    )  # fmt: skip
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of page and CSV")
    return parser


if __name__ == "__main__":
    sys.exit(main())
