"""The commands that the documents promise, and the files that they link to."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from ml_collections import ConfigDict

from busjax.config import flatten
from busjax.config.flags import settings
from busjax.variants import variant

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
TEXT = "\n".join(page.read_text() for page in PAGES)
# In a table or in a line of its own; a command of the shell may be joined to others by &&.
CODE = [
    *re.findall(r"`([^`\n]+)`", TEXT),
    *(line for block in re.findall(r"```\w*\n(.*?)```", TEXT, re.S) for line in block.splitlines()),
]
COMMANDS = sorted({part.strip() for line in CODE for part in line.split("&&")})
RUNS = [command for command in COMMANDS if "-m busjax.main" in command and "=" in command]
LAUNCHES = [command for command in COMMANDS if re.match(r"(sbatch|launch/\w+\.sh) .*--", command)]


def test_there_are_such_commands():
    assert len(RUNS) >= 4
    assert {Path(shlex.split(command)[0]).name for command in LAUNCHES} == {
        "sbatch", "tpu_vm.sh", "gke.sh", "packaged.sh",
    }  # fmt: skip


def configured(words):
    """The configuration that the flags among some words make; unknown fields raise."""
    given = [word.removeprefix("--config=") for word in words if word.startswith("--config=")]
    if not given:
        return None
    path = Path(given[0])
    config: ConfigDict = variant(path.stem)
    assert (ROOT / path).is_file()
    values = flatten(config.to_dict())
    for word in words:
        if word.startswith("--config."):
            field, _, value = word.removeprefix("--config.").partition("=")
            assert field in values, word
            old = values[field]
            new = {"True": True, "False": False}[value] if type(old) is bool else type(old)(value)
            config.update_from_flattened_dict({field: new})
    return config


@pytest.mark.parametrize("command", [*RUNS, *LAUNCHES])
def test_flags_are_those_of_the_program(command):
    config = configured(shlex.split(command))
    assert config is None or settings(config).flat() == flatten(config.to_dict())


@pytest.mark.parametrize("command", LAUNCHES)
def test_launchers_take_what_is_promised(command):
    """Each is run as it is written, dry."""
    words = shlex.split(command)
    if words[0] == "sbatch":
        script = next(i for i, word in enumerate(words) if word.endswith(".sbatch"))
        words = ["bash", words[script], "--dry_run", *words[script + 1 :]]
    else:
        words = ["bash", words[0], "--dry_run", *words[1:]]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert ("--config=pooled" if "packaged" in command else "configs/unetpp.py") in done.stdout


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_server_runs_what_is_run_here_on_every_python_that_is_promised():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    job = workflow["jobs"]["ci"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert job["steps"][-1]["run"] == "bash .ci/run"
    assert 'requires-python = ">=3.11"' in (ROOT / "pyproject.toml").read_text()
    for name in (".pre-commit-config.yaml", "CITATION.cff"):
        assert yaml.safe_load((ROOT / name).read_text())
