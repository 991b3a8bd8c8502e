"""The commit of a summary is that of busjax's own checkout, or none."""

import subprocess

import pytest

from busjax.evaluation import provenance


def git(folder, *words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def repository(root, *files):
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    return git(root, "rev-parse", "--short", "HEAD")


def test_a_checkout(tmp_path):
    commit = repository(tmp_path, "busjax/__init__.py", "configs/base.py")
    assert provenance._commit(tmp_path / "busjax") == commit
    (tmp_path / "busjax/__init__.py").write_text("changed")
    assert provenance._commit(tmp_path / "busjax") == f"{commit}+"


@pytest.mark.parametrize("inside", ["", ".venv/lib/site-packages/"])
def test_the_repository_of_somebody_else(tmp_path, inside):
    """A project with a virtual environment in it, or one whose git ignores the package."""
    (tmp_path / ".gitignore").write_text("busjax/\n.venv/\n")
    repository(tmp_path, "main.py", "configs/theirs.py", f"{inside}busjax/__init__.py")
    assert provenance._commit(tmp_path / f"{inside}busjax") == ""


def test_no_repository(tmp_path):
    (tmp_path / "configs").mkdir()
    assert provenance._commit(tmp_path / "busjax") == ""
