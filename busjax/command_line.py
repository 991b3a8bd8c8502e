"""Command lines: one style of options and help, and --config with its fields."""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from busjax import variants
from busjax.config import FIELDS, Config
from busjax.config.section import Section
from busjax.errors import UserError, tell

if TYPE_CHECKING:
    from ml_collections import ConfigDict


class _Format(argparse.RawDescriptionHelpFormatter):
    """Names of options in a column as wide as most of them."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=36)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, exit code 1.

    Args:
        prog: how the command is called, such as 'busjax predict'.
        description: what it does; lines are kept as they are.
    """

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            allow_abbrev=False,
            formatter_class=_Format,
        )

    def parse_known_args(self, *args: Any, **options: Any) -> Any:
        """As argparse; from here on names of files that are no UTF-8 can be printed."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        return super().parse_known_args(*args, **options)

    def error(self, message: str) -> NoReturn:
        self.exit(tell(f"{message} (see {self.prog} --help)"))


def parse(
    parser: Parser,
    words: Sequence[str],
    saved: ConfigDict | None = None,
    needed: str = "--config=NAME",
) -> tuple[Config | None, argparse.Namespace]:
    """The settings and the options of a command line; its help describes every field.

    Args:
        parser: of the options.
        words: and
        saved: as for `take_config`, whose errors are raised.
        needed: what the help says that the command cannot do without.
    """
    if {"-h", "--help"} & set(words):
        _add_config(parser, needed)
        parser.parse_args(["--help"])
    config, rest = take_config(words, saved)
    return config, parser.parse_args(rest)


def take_config(
    words: Sequence[str], saved: ConfigDict | None = None
) -> tuple[Config | None, list[str]]:
    """The settings that --config and --config.FIELD ask for, and all other words.

    Args:
        words: of a command line; --config names a variant or a file.
        saved: what the fields change where there is no --config.

    Returns:
        None where there is neither.

    Raises:
        UserError: no such variant, file or field; a value of another type or out of its range.
    """
    # ml_collections takes longer to import than a help text may take.
    from absl import flags
    from ml_collections import config_flags

    from busjax.config.flags import settings

    name, others = _without_name(words)
    try:
        config = saved if name is None else variants.variant(name)
        if config is None:
            return None, others
        argv, values = ["busjax", *others], flags.FlagValues()
        values.set_gnu_getopt(True)
        config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=argv)
        rest = values(argv, known_only=True)[1:]
        return settings(config), rest
    except flags.IllegalFlagValueError as error:
        raise UserError(_illegal(str(error))) from error
    except flags.Error as error:
        raise UserError(f"{error} (see --help)") from error
    except (AttributeError, KeyError) as error:
        # ml_collections quotes the field that it lacks, and then the closest one.
        quoted = str(error).replace("\\n", " ").replace("\\'", "").strip("\"'")
        quoted = quoted.replace(" Did you mean", ": did you mean")
        raise UserError(f"the configuration has no such field: {quoted} (see --help)") from error
    except (TypeError, ValueError, SyntaxError, ImportError, OSError) as error:
        kind = type(error).__name__
        raise UserError(f"the configuration cannot be used: {kind}: {error}") from error


def _illegal(said: str) -> str:
    """A value of another type, told as one that is out of its range is."""
    match = re.match(r"flag --config\.([\w.]+)=(.*?): ", said)
    if match is None or match[1] not in FIELDS:
        return f"{said} (see --help)"
    return f"config.{match[1]}={match[2]!r} must be {FIELDS[match[1]]}"


def _without_name(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """What --config says, and all other words."""
    name, others, rest = None, [], iter(words)
    for word in rest:
        option, sign, value = word.partition("=")
        if option not in ("--config", "-config"):
            others.append(word)
        elif (name := value if sign else next(rest, "")) == "":
            raise UserError("--config needs a variant or a file, such as --config=unetpp")
    return name, others


def _add_config(parser: argparse.ArgumentParser, needed: str) -> None:
    """Describes --config and every field in the help of a command; `take_config` reads them."""
    names = ", ".join(variants.names())
    parser.add_argument(
        "--config", metavar="NAME", help=f"the configuration: {names}, or a file with get_config()"
    )
    parser.add_argument("--config.FIELD", metavar="VALUE", help="another value of a field, below")
    parser.usage = f"{parser.prog} {needed} [--config.FIELD=VALUE ...] [OPTION ...]"
    sections: list[type[Section]] = [Config, *Config.sections().values()]
    for section in sections:
        _add_fields(parser, section)


def _add_fields(parser: argparse.ArgumentParser, section: type[Section]) -> None:
    place = section.PLACE.rstrip(".")
    group = parser.add_argument_group(f"--config.{place}" if place else "fields of --config")
    for name, field in section.fields().items():
        text = f"{field.metadata['meaning']}; {field.metadata['rule']} [{field.default!r}]"
        option = f"--config.{section.PLACE}{name}"
        group.add_argument(option, metavar="", help=text.replace("%", "%%"))
    for inner in section.sections().values() if place else ():
        _add_fields(parser, inner)
