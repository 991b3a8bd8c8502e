"""`busjax COMMAND`: the table of commands, their help, and what is not understood."""

import importlib
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from busjax import command_line, commands
from busjax.config import FIELDS
from busjax.errors import UserError

ROOT = Path(__file__).parent.parent
SLOW = ("jax", "flax", "orbax", "grain", "matplotlib", "cv2")


def run(*words):
    return subprocess.run(
        [sys.executable, "-m", "busjax", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_help_names_every_command_and_no_other(capsys):
    assert commands.main(["--help"]) == 0
    out = capsys.readouterr().out
    listed = re.findall(r"^  ([a-z]+)  ", out, re.MULTILINE)
    assert listed == list(commands.COMMANDS)
    assert commands.main([]) == 0
    assert capsys.readouterr().out == out


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_help_of_a_command(capsys, name):
    command = commands.COMMANDS[name]
    module = importlib.import_module(f"busjax.{command.module}")
    with pytest.raises(SystemExit) as end:
        commands.main([name, "--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: busjax {name} ")
    assert callable(module.main)


def test_the_help_comes_without_what_takes_long_to_import():
    code = f"""
import contextlib, io, sys
from busjax import commands
for name in commands.COMMANDS:
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        commands.main([name, "--help"])
    print(name, *(slow for slow in {SLOW} if slow in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == list(commands.COMMANDS)


@pytest.mark.parametrize("name", ["train", "evaluate", "crossval"])
def test_every_field_is_in_the_help(capsys, name):
    with pytest.raises(SystemExit):
        commands.main([name, "--help"])
    out = capsys.readouterr().out
    assert set(re.findall(r"^  --config\.([\w.]+)", out, re.MULTILINE)) - {"FIELD"} == set(FIELDS)
    assert "[0.5]" in out  # a default
    assert ("--evaluation" in out) == (name == "evaluate")
    assert not re.search(r"^  --mode", out, re.MULTILINE)


def test_the_version():
    assert run("--version").stdout == f"busjax {metadata.version('busjax')}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "'trian' is no command: did you mean 'train'?"),
        (["xyzzy"], "'xyzzy' is no command: busjax --help lists all of them"),
        (["train"], "no configuration: give one, such as --config=unetpp"),
        (["train", "--config"], "--config needs a variant or a file, such as --config=unetpp"),
        (["train", "--mode=evaluate", "--config=unet"], "unrecognized arguments: --mode=evaluate"),
        (["evaluate", "--workdir=nowhere"], "nowhere holds no run"),
        (["predict", "x.png"], "the following arguments are required: --out"),
        (["export", "--workdir=x", "--format=zip"], "argument --format: invalid choice: 'zip'"),
        (["evaluate"], "no run: give its folder, such as --workdir=runs/unetpp"),
        (
            ["export", "--workdir=x", "--format=onnx", "--dtype=float16"],
            "--dtype, --licence and --notes are for --format=folder (see busjax export --help)",
        ),
        (
            [
                "show",
                "--config=unet",
                "--quick",
                "--batch=setup.py/b.png",
                "--config.data.source=phantom",
                "--config.data.phantom_count=40",
                "--config.data.image_size=16",
            ],
            f"'{ROOT}/setup.py/b.png' cannot be used: a part of its path is a file",
        ),
        (
            ["train", "--config=tests/small.py"],
            "--config=tests/small.py has no function get_config()",
        ),
        (
            ["train", "--config=unet", "--config.model.width=wide"],
            "config.model.width='wide' must be a whole number, 1 or more",
        ),
        (
            ["train", "--config=unet", "--config.modle.width=4"],
            'the configuration has no such field: modle: did you mean "model"',
        ),
        (["report"], "the following arguments are required: run (see busjax report --help)"),
    ],
)
def test_one_clear_line(words, message):
    done = run(*words)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"busjax: {message}")


def test_words_that_are_no_part_of_the_configuration_are_left():
    words = ["--workdir", "w", "--config.model.width=8", "a", "--config", "unet", "--processes=2"]
    config, rest = command_line.take_config(words)
    assert (config.name, config.model.width) == ("unet", 8)
    assert rest == ["--workdir", "w", "a", "--processes=2"]
    assert command_line.take_config(["--workdir=w"]) == (None, ["--workdir=w"])


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--config.data.oversample"], True),
        (["--config.data.oversample=true"], True),
        (["--noconfig.data.oversample"], False),
    ],
)
def test_switches(words, value):
    config, rest = command_line.take_config(["--config=unet", *words])
    assert config.data.oversample is value
    assert rest == []


def test_a_field_out_of_its_range_is_named():
    with pytest.raises(UserError, match=r"config\.model\.width=0 must be a whole number"):
        command_line.take_config(["--config=unet", "--config.model.width=0"])
