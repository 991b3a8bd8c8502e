"""Really started processes: what the launcher does with them, and a run of two of them."""

import contextlib
import csv
import json
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

ROOT = Path(__file__).parent.parent.parent
LAUNCH = [sys.executable, "-m", "launch.local"]
RUN = [
    *(sys.executable, "-m", "busjax.main", "--config=configs/unetpp.py"),
    *(f"--config.model.{field}" for field in ("width=4", "depth=1", "ops=reference")),
    *("--config.model.dtype=float32", "--config.model.classifier_hidden=8"),
    *(f"--config.data.{field}" for field in ("source=phantom", "phantom_count=40")),
    *("--config.data.image_size=16", "--config.data.test_fraction=0.25"),
    # A step an epoch, so that the history holds every step.
    *(f"--config.train.{field}" for field in ("batch_size=24", "eval_batch_size=8", "epochs=10")),
    "--config.parallel.timeout=60",
]


def launch(processes, *command, environment=None, options=()):
    return subprocess.run(
        [*LAUNCH, f"--processes={processes}", *options, "--", *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def shell(script, processes=2, options=()):
    return launch(processes, "sh", "-c", script, options=options)


def test_each_process_gets_its_place_and_its_lines_bear_its_index():
    done = shell(
        'echo "$BUSJAX_PROCESS_INDEX of $BUSJAX_PROCESSES at $BUSJAX_COORDINATOR"; echo no >&2', 3
    )
    assert done.returncode == 0
    lines = sorted(done.stdout.splitlines())
    assert [line.rpartition(":")[0] for line in lines] == [
        f"[{i}] {i} of 3 at 127.0.0.1" for i in range(3)
    ]
    assert len({line.rpartition(":")[2] for line in lines}) == 1  # one port for all
    assert sorted(done.stderr.splitlines()) == ["[0] no", "[1] no", "[2] no"]


def test_devices_are_shared_out():
    script = 'echo "$JAX_NUM_CPU_DEVICES $CUDA_VISIBLE_DEVICES"'
    assert sorted(shell(script, options=["--cpu_devices=3"]).stdout.split()) == [
        "3", "3", "[0]", "[1]",
    ]  # fmt: skip
    lines = sorted(shell(script, options=["--gpus=2"]).stdout.splitlines())
    assert [line.split()[-1] for line in lines] == ["0,1", "2,3"]


@pytest.mark.parametrize(("ending", "code"), [("exit 7", 7), ("kill -9 $$", 137)])
def test_the_first_failure_ends_all_and_its_code_is_returned(ending, code):
    start = time.monotonic()
    done = shell(f'[ "$BUSJAX_PROCESS_INDEX" = 1 ] && {ending}; exec sleep 60')
    assert done.returncode == code
    assert time.monotonic() - start < 20
    assert done.stderr == f"launch: process 1 ended with code {code}: the others are ended\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_all(number):
    script = "trap 'echo told; exit 0' INT TERM; echo ready; while :; do sleep 0.1; done"
    with subprocess.Popen(
        [*LAUNCH, "--processes=2", "--", "sh", "-c", script],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    ) as launcher:  # fmt: skip
        ready = [launcher.stdout.readline() for _ in range(2)]
        launcher.send_signal(number)
        rest, _ = launcher.communicate(timeout=30)
        assert sorted(ready) == ["[0] ready\n", "[1] ready\n"]
        assert sorted(rest.splitlines()) == ["[0] told", "[1] told"]
        assert launcher.returncode == 128 + number


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--processes=2", "--", "no-such-command"], 1, "no-such-command cannot be started"),
        (["--processes=0", "--", "true"], 2, "must be a whole number"),
        (["--processes=2"], 2, "COMMAND"),
    ],
)
def test_what_cannot_be_started(arguments, code, message):
    done = subprocess.run([*LAUNCH, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == code
    assert message in done.stderr.splitlines()[-1]


def history(workdir):
    path = workdir / "history.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def images(workdir):
    """The rows of images.csv: its words and whole numbers, and its fractions."""
    with (workdir / "evaluation" / "images.csv").open() as file:
        rows = list(csv.DictReader(file))
    fractions = (
        *("p_benign", "p_malignant", "p_normal", "dice", "iou"),
        *("mask_uncertainty", "class_uncertainty", "contradiction"),
    )
    exact = [{key: value for key, value in row.items() if key not in fractions} for row in rows]
    return exact, np.array([[float(row[key]) for key in fractions] for row in rows])


def start(count, devices, workdir, environment):
    """Starts the processes of a run without a launcher, which would end one after the other."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    place = {"BUSJAX_COORDINATOR": address, "BUSJAX_PROCESSES": str(count)}
    return [
        subprocess.Popen(
            [*RUN, f"--workdir={workdir}"],
            cwd=ROOT,
            env={
                **environment,
                **place,
                "BUSJAX_PROCESS_INDEX": str(index),
                "JAX_NUM_CPU_DEVICES": str(devices),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(count)
    ]


def signal_after(epochs, number, index, processes, workdir):
    """Sends a signal to one of the processes; returns the exit codes and what the others said."""
    deadline = time.monotonic() + 90
    while len(history(workdir)) < epochs:
        assert [process.poll() for process in processes] == [None] * len(processes)
        assert time.monotonic() < deadline
        time.sleep(0.01)
    processes[index].send_signal(number)
    said = [process.communicate(timeout=60)[1] for process in processes]
    return [process.returncode for process in processes], "".join(said)


@pytest.mark.skipif(
    jax.__version_info__ < (0, 10, 2),
    reason="older JAX hangs where two processes read a program from the tests' compilation cache",
)
def test_a_run_that_loses_processes_and_devices_is_as_one_that_ran_through(tmp_path, environment):
    """Ten steps on 4 devices in one process, and on 4, 4, 2 and 1 in two processes and one."""
    one, two = tmp_path / "one", tmp_path / "two"
    options = ["--cpu_devices=4"]
    done = launch(1, *RUN, f"--workdir={one}", environment=environment, options=options)
    assert done.returncode == 0, done.stderr

    codes, said = signal_after(1, signal.SIGKILL, 1, start(2, 2, two, environment), two)
    assert codes == [75, -signal.SIGKILL]
    assert "busjax: process 0: another process of the run was lost" in said
    codes, said = signal_after(3, signal.SIGKILL, 0, start(2, 2, two, environment), two)
    assert codes == [-signal.SIGKILL, 75]
    assert re.search("^busjax: process 1: .*another process of the run was lost", said, re.M)
    codes, said = signal_after(6, signal.SIGTERM, 1, start(2, 1, two, environment), two)
    assert codes == [75, 75]
    assert said.count("busjax: stopped by SIGTERM; the same command goes on") == 2
    assert len(history(two)) < 10
    done = launch(1, *RUN, f"--workdir={two}", environment=environment, options=["--cpu_devices=1"])
    assert done.returncode == 0, done.stderr
    assert "[0] going on after epoch" in done.stdout

    first, second = history(one), history(two)
    assert [row["step"] for row in first] == [row["step"] for row in second] == [*range(1, 11)]
    for row, other in zip(first, second, strict=True):
        assert other["train"] == pytest.approx(row["train"], rel=1e-5)
        assert other["validation"] == pytest.approx(row["validation"], rel=1e-4, nan_ok=True)
    (exact, fractions), (others, other_fractions) = images(one), images(two)
    assert exact == others
    assert len(exact) == 10
    np.testing.assert_allclose(other_fractions, fractions, rtol=1e-4, atol=1e-5)
    assert not [path for path in two.rglob("*") if "tmp" in path.name]


def test_an_error_of_one_process_ends_both_with_its_line(tmp_path, environment):
    script = 'exec "$@" --config.data.source=busi --config.data.dir=/nowhere$BUSJAX_PROCESS_INDEX'
    command = ["sh", "-c", script, "sh", *RUN, f"--workdir={tmp_path}"]
    done = launch(2, *command, environment=environment)
    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if "busjax:" in line]
    assert len(told) == 1, done.stderr
    assert told[0].startswith("[0] busjax: '/nowhere0' does not exist")


def test_one_line_where_the_others_do_not_come(tmp_path, environment):
    place = ["--coordinator=127.0.0.1:9", "--processes=2", "--process_index=1"]
    done = subprocess.run(
        [*RUN, f"--workdir={tmp_path}", *place, "--config.parallel.timeout=1"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("busjax: process 1 of 2 has not met the others at 127.0.0.1:9 within 1")


def free_job():
    """A number of a job whose port, which JAX makes of it, is free."""
    for job in range(4096):
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("", 61440 + job))
            return job
    raise OSError("no port is free")


def test_slurm_is_detected(environment):
    """Two tasks of a job, as srun would start them on this machine."""
    code = (
        "from busjax import processes; processes.join(processes.Place(), 60);"
        "import jax; print(jax.process_index(), jax.process_count(), flush=True)"
    )
    place = {
        "SLURM_JOB_ID": str(free_job()),
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_NTASKS": "2",
    }
    tasks = []
    for index in "01":
        own = {"SLURM_PROCID": index, "SLURM_LOCALID": index}
        tasks.append(
            subprocess.Popen(
                [sys.executable, "-c", code],
                cwd=ROOT,
                env={**environment, **place, **own},
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    first, second = (task.communicate(timeout=90)[0] for task in tasks)
    assert [task.returncode for task in tasks] == [0, 0]
    assert "0 2" in first.splitlines()
    assert second == ""  # all but the first are silent
