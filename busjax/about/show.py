"""What a configuration asks for: fields that differ from their defaults, size and cost of the
network, and as a picture the first batch as the network will see it.

    busjax show --config=unetpp --config.model.width=16 --batch=batch.png
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from busjax import files
from busjax.command_line import Parser, parse
from busjax.config import Config
from busjax.errors import UserError, tell

if TYPE_CHECKING:
    from busjax.about.cost import Cost

_MEGA = 1e6


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints what a configuration asks for; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        config, options = parse(_parser(), words)
        if config is None:
            raise UserError("no configuration: give one, such as --config=unetpp")
        _show(config, options)
    except (UserError, OSError) as error:
        return tell(error)
    except KeyboardInterrupt:
        print("busjax: stopped", file=sys.stderr)
        return 130
    return 0


def _parser() -> Parser:
    parser = Parser("busjax show", __doc__ or "")
    parser.add_argument(
        "--all", action="store_true", help="every field, and not only what differs from the default"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="without the memory of a train step, which has to be compiled",
    )
    parser.add_argument(
        "--batch", type=files.argument, metavar="FILE.png",
        help="draw the first batch of the training, augmented, with its annotations",
    )  # fmt: skip
    return parser


def _show(config: Config, options: argparse.Namespace) -> None:
    print("\n".join(fields(config, options.all)), flush=True)
    # JAX comes in when what can be told without it has been told.
    from busjax.about import cost

    print("\n".join(_network(config, cost.of_network(config))), flush=True)
    if options.batch:
        from busjax.about.batch import draw

        files.replace(options.batch, draw(config))
        print(options.batch)
    if not options.quick:
        step = cost.of_train_step(config)
        print(
            f"memory\n  weights, moments, average   {step.state / _MEGA:.1f} MB\n"
            f"  train step                  {step.step / _MEGA:.1f} MB more, for "
            f"{config.train.batch_size} images on {step.devices} of these devices",
            flush=True,
        )


def fields(config: Config, every: bool = False) -> list[str]:
    """A line a field whose value is not the default, or every field; a star marks the former."""
    defaults, values = Config().flat(), config.flat()
    width = max(map(len, values))
    lines = [f"{config.name}: fields{'' if every else ' that differ from their defaults'}"]
    for name, value in values.items():
        differs = value != defaults[name]
        if every or differs:
            star = "*" if every and differs else " "
            default = f"   [{defaults[name]!r}]" if differs else ""
            lines.append(f"{star} config.{name:{width}}  {value!r}{default}")
    return lines


def _network(config: Config, cost: Cost) -> list[str]:
    size = config.data.image_size
    parts = ", ".join(f"{name} {count:,}" for name, count in cost.parts.items())
    return [
        f"network, for images of {size} x {size}",
        f"  parameters                  {cost.parameters:,}: {parts}",
        f"  one image, forward          {cost.flops / 1e9:.2f} GFLOP",
        f"  activations, operations     {cost.dtype}, {cost.ops}",
    ]


if __name__ == "__main__":
    sys.exit(main())
