"""Where busjax does not run, the import says so in a line; a system without flock will do."""

import subprocess
import sys


def test_windows_is_told_in_a_line():
    code = "import sys; sys.platform = 'win32'; import busjax"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    *_, line = done.stderr.splitlines()
    assert line == "ImportError: busjax runs on Linux and macOS; on Windows use it within WSL"


def test_a_system_without_flock(tmp_path):
    code = f"""
import sys
sys.modules["fcntl"] = None
from etils import epath
from busjax.runs import lock
with lock.held(epath.Path({str(tmp_path)!r}), 300):
    print((epath.Path({str(tmp_path)!r}) / lock.FILE).exists())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_earlier_names_still_import():
    from busjax.config import base
    from busjax.data.busi import BusiSource
    from busjax.data.phantom import PhantomSource
    from busjax.data.readers import busi, phantom, table
    from busjax.data.table import TableSource
    from busjax.inference import load, predictor

    assert BusiSource is busi.BusiSource
    assert PhantomSource is phantom.PhantomSource
    assert TableSource is table.TableSource
    assert load.load is predictor.load
    assert base.get_config().model.name == "unet"
