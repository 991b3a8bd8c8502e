"""The process is started again once, with the allocator set and the same arguments."""

import os
import platform
import subprocess
import sys

import pytest

CODE = (
    "import os, sys; from busjax import allocator; allocator._ACCELERATORS = ();"
    "allocator.restart_tuned(); print(os.getpid(), os.environ['GLIBC_TUNABLES'], sys.argv[1:])"
)


def _run(**environment):
    clean = {key: value for key, value in os.environ.items() if key != "GLIBC_TUNABLES"}
    command = [sys.executable, "-W", "error", "-c", CODE, "--a=b c"]
    with subprocess.Popen(
        command, env={**clean, **environment}, stdout=subprocess.PIPE, text=True
    ) as process:
        out = process.communicate()[0]
    return process.pid, out.strip()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="for glibc only")
def test_restarted_with_the_tunables():
    pid, out = _run()
    assert out.startswith(f"{pid} glibc.malloc.hugetlb=1:")  # the same process, not a child
    assert out.endswith("['--a=b c']")


def test_the_users_setting_stays():
    pid, out = _run(GLIBC_TUNABLES="")
    assert out == f"{pid}  ['--a=b c']"
