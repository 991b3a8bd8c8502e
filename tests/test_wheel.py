"""The wheel, as a stranger meets it: in an environment of its own, in a folder of other things."""

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from busjax import variants

ROOT = Path(__file__).parent.parent
SMALL = ("model.width=4", "model.depth=1", "model.ops=reference", "model.dtype=float32",
         "data.image_size=16", "data.source=phantom", "data.phantom_count=24",
         "train.batch_size=8", "train.eval_batch_size=8", "train.epochs=1")  # fmt: skip
DECOY = "raise RuntimeError('another project')\n"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy: what an earlier build left in the checkout is in none."""
    source = tmp_path_factory.mktemp("source")
    for name in ("busjax", "configs", "launch"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
               "--no-index", "--wheel-dir", "dist", "."]  # fmt: skip
    subprocess.run(command, cwd=source, check=True, capture_output=True, text=True)
    (path,) = (source / "dist").glob("busjax-*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """An interpreter that has the wheel, and of this environment its dependencies alone."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, symlinks=True)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(place)}))
    with zipfile.ZipFile(wheel) as content:
        content.extractall(site)
    # Its .pth files, those of an editable busjax among them, do not count there.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place / "bin" / "python"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the files of another project."""
    place = tmp_path_factory.mktemp("stranger")
    for name in ("configs/__init__.py", "configs/base.py", "configs/unetpp.py",
                 "launch/__init__.py", "launch/local.py"):  # fmt: skip
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(DECOY)
    return place


def run(python, folder, environment, *words):
    done = subprocess.run(
        [python, "-m", *words], cwd=folder, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_package_is_all_that_it_installs(wheel):
    with zipfile.ZipFile(wheel) as content:
        files = content.namelist()
    assert {file.partition("/")[0].partition("-")[0] for file in files} == {"busjax"}
    for folder in ("busjax", "configs", "launch"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                inside = path.relative_to(ROOT).as_posix()
                wanted = inside if folder == "busjax" else f"busjax/{inside}"
                assert wanted in files


def test_a_stranger_trains_evaluates_and_predicts(python, folder, environment):
    flags = [f"--config.{field}" for field in SMALL]
    out = run(python, folder, environment, "busjax.main", "--config=unetpp", *flags)
    assert "report: runs/unetpp/report.html" in out
    name = json.loads((folder / "runs/unetpp/config.json").read_text())["model"]["name"]
    assert name == "unetpp"
    run(python, folder, environment, "busjax.main", "--mode=evaluate", "--workdir=runs/unetpp")
    Image.fromarray(np.full((20, 30), 90, np.uint8)).save(folder / "a.png")
    predict = ["busjax.inference.predict", "--workdir=runs/unetpp", "a.png", "--out=out"]
    assert "1 of 1 files read" in run(python, folder, environment, *predict)
    assert (folder / "out/index.html").is_file()
    assert (folder / "out/masks/a.png").is_file()


def test_what_is_installed_is_used_and_not_the_checkout(python, folder, environment):
    code = "import busjax, busjax.variants as v; print(busjax.__file__, v.FOLDER, *v.names())"
    done = subprocess.run(
        [python, "-c", code], cwd=folder, env=environment, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    module, variants_in, *names = done.stdout.split()
    assert str(ROOT) not in module + variants_in
    assert names == variants.names()


def test_the_launcher_is_inside(python, folder, environment):
    words = ["busjax.launch.local", "--processes=2", "--", str(python), "-c", "print('hello')"]
    assert run(python, folder, environment, *words).count("hello") == 2
