"""Finds duplicates and contradictions in a folder of images.

busjax audit --dir=FOLDER --out=audit.json
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from etils import epath

from busjax import files
from busjax.command_line import Parser
from busjax.config import Data, Table
from busjax.errors import UserError, tell

if TYPE_CHECKING:
    from busjax.data.audit.run import Audit


def main(arguments: list[str] | None = None) -> int:
    """Does what the command line asks for and returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        _audit(options)
    except (UserError, OSError) as error:
        return tell(error)
    except KeyboardInterrupt:
        print("busjax: stopped; nothing was written", file=sys.stderr)
        return 130
    return 0


def _audit(options: argparse.Namespace) -> None:
    from busjax.data.audit.cache import make

    Data(grey_range=options.grey_range)  # which checks it

    result, page = make(
        options.dir, options.out, options.overrides, _table(options), options.grey_range
    )
    print(_summary(result, options.out, page))


def _summary(result: Audit, out: epath.Path, page: epath.Path) -> str:
    inside = sum(len(group.members) for group in result.groups)
    return (
        f"{len(result.records)} images; {inside} of them in {len(result.groups)} groups, "
        f"{len(result.objections)} objections\n{out}\n{page}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = Parser("busjax audit", __doc__ or "")
    parser.add_argument(
        "--dir", required=True, type=files.argument, help="a BUSI folder, or that of a table"
    )
    parser.add_argument(
        "--out", required=True, type=files.argument, metavar="FILE.json",
        help="groups and objections; FILE.html shows them",
    )  # fmt: skip
    parser.add_argument(
        "--overrides", type=files.argument, metavar="FILE.csv",
        help="what a person decided: action,one,other; join, part or drop",
    )  # fmt: skip
    ends = Data.fields()["grey_range"].metadata
    parser.add_argument("--grey_range", default="", help=f"{ends['meaning']} [none]")
    described = parser.add_argument_group("a table of images, as config.data.table")
    for name, field in Table.fields().items():
        meaning = f"{field.metadata['meaning']} [{field.default or 'none'}]"
        described.add_argument(f"--{name}", help=meaning.replace("%", "%%"))
    return parser


def _table(options: argparse.Namespace) -> Table | None:
    """What the flags say of a table; None where none of them is given."""
    values = {name: getattr(options, name) for name in Table.fields()}
    given = {name: value for name, value in values.items() if value is not None}
    return Table(**given) if given else None


if __name__ == "__main__":
    sys.exit(main())
