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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="for glibc only")
def test_a_thread_does_not_fault_in_again_what_it_had(tmp_path):
    """XLA runs in threads; 100 MB are 24,000 pages of 4 KiB."""
    program = tmp_path / "program.py"
    program.write_text(
        "import resource, threading\n"
        "from busjax import allocator\n"
        "import numpy as np\n"
        "allocator._ACCELERATORS = ()\n"
        "allocator.restart_tuned()\n"
        "def faults():\n"
        "    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt\n"
        "    np.empty(100_000_000, np.uint8).fill(1)\n"
        "    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before\n"
        "thread = threading.Thread(target=lambda: print([faults() for _ in range(3)][2]))\n"
        "thread.start()\n"
        "thread.join()\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "GLIBC_TUNABLES"}
    found = subprocess.run(
        [sys.executable, program], env=environment, capture_output=True, text=True, check=True
    )
    assert int(found.stdout) < 100
