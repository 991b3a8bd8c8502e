"""The launchers of clusters: shellcheck, dry runs, and whole with clusters that are faked."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from busjax.variants import load_variant

ROOT = Path(__file__).parent.parent.parent
LAUNCH = ROOT / "launch"
FLAGS = ["--config=configs/unetpp.py", "--config.name=two words"]
SLICE = ["--name=slice", "--zone=zone-a", "--workdir=gs://bucket/run"]
JOBSET = [
    *("--name=run", "--image=host/busjax:1", "--workers=2", "--chips=4"),
    "--workdir=gs://bucket/run",
]
TPU = ["--accelerator=tpu-v5-lite-podslice", "--topology=2x4"]
GPU = ["--accelerator=nvidia-h100-80gb"]


def run(script, *arguments, **environment):
    return subprocess.run(
        ["bash", str(LAUNCH / script), *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def program(folder, name, body):
    """Puts a shell program into a folder; returns the PATH that finds it first."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/usr/bin/env bash\n{body}\n")
    path.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_shellcheck_finds_nothing():
    scripts = [*LAUNCH.glob("*.sh"), *LAUNCH.glob("*.sbatch"), ROOT / ".ci" / "run"]
    assert len(scripts) == 6
    checker = Path(sys.executable).parent / "shellcheck"
    done = subprocess.run([checker, *scripts], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def dry_lines(*arguments):
    done = run("tpu_vm.sh", *SLICE, "--dry_run", *arguments)
    assert done.returncode == 0, done.stderr
    return [shlex.split(line) for line in done.stdout.splitlines()]


def verb(line):
    """What a line of gcloud does, or its program."""
    known = {"create", "scp", "ssh", "rsync", "delete"}
    return next((word for word in line if word in known), line[0])


def test_tpu_vm_dry_run_goes_from_creation_to_deletion():
    lines = dry_lines("--spot", "--project=p", "--type=v6e-8", "--runtime=v2", "--", *FLAGS)
    steps = ["create", "git", "scp", *["ssh"] * 4, "mkdir", "rsync", "delete"]
    assert [verb(line) for line in lines] == steps
    assert {"--accelerator-type=v6e-8", "--runtime-version=v2", "--spot"} <= set(lines[0])
    gcloud = [line for line in lines if line[:3] == ["gcloud", "compute", "tpus"]]
    assert all("--zone=zone-a" in line and "--project=p" in line for line in gcloud)
    (command,) = (word for word in lines[5] if word.startswith("--command="))
    assert shlex.split(command.partition("=")[2]) == [
        "bash", "busjax/launch/on_worker.sh", "run", "--workdir=gs://bucket/run", *FLAGS,
    ]  # fmt: skip
    assert lines[-2][-2:] == ["gs://bucket/run", "runs/slice"]


@pytest.mark.parametrize(
    ("option", "absent"),
    [("--existing", ["create", "delete"]), ("--keep", ["delete"]), ("--attach", ["create", "scp"])],
)
def test_tpu_vm_options_leave_steps_out(option, absent):
    verbs = {verb(line) for line in dry_lines(option, "--", *FLAGS) if line[0] == "gcloud"}
    assert verbs == {"create", "scp", "ssh", "rsync", "delete"} - set(absent)


def test_tpu_vm_data_goes_to_every_worker(tmp_path):
    lines = dry_lines(f"--data={tmp_path}", "--", *FLAGS)
    (copy,) = [line for line in lines if str(tmp_path) in line]
    assert {"scp", "--recurse", "--worker=all"} <= set(copy)
    assert f"--config.data.dir=../{tmp_path.name}" in " ".join(map(" ".join, lines))


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        (
            "packaged.sh",
            ["--busi=a", "--busbra=b", "--curation=c", "--out=d"],
            "--groups is missing",
        ),
        ("packaged.sh", ["--colour=red"], "unknown option '--colour=red'"),
        ("tpu_vm.sh", [], "--name=NAME of the slice is missing"),
        ("tpu_vm.sh", ["--name=a", "--zone=z", "--workdir=runs/a"], "--workdir=gs://BUCKET/RUN is"),
        ("tpu_vm.sh", [*SLICE, "--colour=red"], "unknown option --colour=red"),
        ("tpu_vm.sh", [*SLICE, "--dry_run"], "the flags of busjax.main are missing"),
        ("tpu_vm.sh", [*SLICE, "--data=/nowhere", "--", "a"], "--data=/nowhere is no folder"),
        ("gke.sh", JOBSET, "--accelerator is missing"),
        ("gke.sh", [*JOBSET, *TPU[:1], "--", "a"], "--topology is missing"),
        ("gke.sh", [*JOBSET, *GPU, "--workers=two", "--", "a"], "must be a whole number"),
        ("gke.sh", [*JOBSET, *GPU, "--name=Run", "--", "a"], "lower-case"),
        ("gke.sh", [*JOBSET, *GPU], "the flags of busjax.main are missing"),
        ("slurm.sbatch", [], "the flags of busjax.main are missing"),
    ],
)
def test_what_is_missing_or_wrong_is_told_in_a_line(script, arguments, message):
    done = run(script, *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert message in line


FAKE_GCLOUD = r"""
all="$*"
echo "$all" >> "$CLOUD/log"
case "$*" in
  *describe*) cat "$CLOUD/state" ;;
  *" scp "*) for worker in 0 1; do cp -r "$5" "$CLOUD/$worker"; done ;;
  *on_worker.sh\ install*) ;;
  *" ssh "*)
    for worker in 0 1; do
      case "$*" in *--worker=all* | *--worker=$worker*)
        (cd "$CLOUD/$worker" && exec bash -c "${all##*--command=}") || code=$? ;;
      esac
    done
    exit "${code:-0}" ;;
esac
"""


@pytest.fixture
def cloud(tmp_path):
    """A gcloud with two workers, folders of this machine; their python prints and exits with 3."""
    path = program(tmp_path / "bin", "gcloud", FAKE_GCLOUD)
    for worker in "01":
        program(
            tmp_path / worker / "venv" / "bin",
            "python",
            f'for word in "$@"; do echo "{worker}: $word"; done; pwd; exit 3',
        )
    (tmp_path / "state").write_text("ACTIVE\n")
    return {"PATH": path, "CLOUD": str(tmp_path)}


def test_tpu_vm_whole(cloud, tmp_path):
    """The code is copied and unpacked, the run's log followed, its exit code returned."""
    done = run("tpu_vm.sh", *SLICE, f"--fetch={tmp_path / 'results'}", "--", *FLAGS, **cloud)
    assert done.returncode == 3, done.stderr
    words = ["-m", "busjax.main", "--workdir=gs://bucket/run", *FLAGS]
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("0: ")] == [f"0: {word}" for word in words]
    assert not [line for line in lines if line.startswith("1: ")]  # it runs, but is not followed
    assert f"1: {FLAGS[1]}" in (tmp_path / "1" / "run.log").read_text()
    for worker in "01":
        assert (tmp_path / worker / "busjax" / "busjax" / "main.py").is_file()
    log = (tmp_path / "log").read_text()
    assert f"storage rsync --recursive gs://bucket/run {tmp_path / 'results'}" in log
    assert log.splitlines()[-1].startswith("compute tpus queued-resources delete slice --force")


def test_tpu_vm_slice_that_cannot_be_had(cloud, tmp_path):
    (tmp_path / "state").write_text("FAILED\n")
    done = run("tpu_vm.sh", *SLICE, "--", *FLAGS, **cloud)
    assert done.returncode == 1
    assert "cannot be had; delete it with: gcloud compute" in done.stderr
    assert " scp " not in (tmp_path / "log").read_text()


def manifest(text):
    (_, _, rest) = text.partition("<<END\n")
    return yaml.safe_load(rest.partition("\nEND\n")[0])


@pytest.mark.parametrize("kind", [TPU, GPU], ids=["tpu", "gpu"])
def test_gke_manifest(kind):
    done = run("gke.sh", *JOBSET, *kind, "--restarts=3", "--dry_run", "--", *FLAGS, 'a"b\\c')
    assert done.returncode == 0, done.stderr
    content = manifest(done.stdout)
    assert (content["kind"], content["metadata"]["name"]) == ("JobSet", "run")
    assert content["spec"]["failurePolicy"] == {"maxRestarts": 3}
    (job,) = content["spec"]["replicatedJobs"]
    job = job["template"]["spec"]
    assert (job["completionMode"], job["completions"], job["parallelism"]) == ("Indexed", 2, 2)
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"] == ["--workdir=gs://bucket/run", *FLAGS, 'a"b\\c']
    assert container["command"] == ["python", "-m", "busjax.main"]
    selector, limits = pod["nodeSelector"], container["resources"]["limits"]
    if kind is TPU:
        assert selector == {
            "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
            "cloud.google.com/gke-tpu-topology": "2x4",
        }
        assert (limits, container["env"]) == ({"google.com/tpu": 4}, [])
    else:
        assert selector == {"cloud.google.com/gke-accelerator": "nvidia-h100-80gb"}
        assert limits == {"nvidia.com/gpu": 4}
        place = {entry["name"]: entry for entry in container["env"]}
        # JobSet names pods <set>-<job>-<its index>-<pod's index> in the set's own domain.
        assert place["BUSJAX_COORDINATOR"]["value"] == "run-worker-0-0.run:8476"
        assert place["BUSJAX_PROCESSES"]["value"] == "2"
        assert "job-completion-index" in str(place["BUSJAX_PROCESS_INDEX"]["valueFrom"])


def test_gke_template_is_yaml_and_wholly_filled_in(tmp_path):
    template = (LAUNCH / "gke_jobset.yaml").read_text()
    assert yaml.safe_load(template)["kind"] == "JobSet"
    path = program(tmp_path, "kubectl", f"echo $* > {tmp_path}/verb; cat > {tmp_path}/manifest")
    done = run("gke.sh", *JOBSET, *GPU, "--", *FLAGS, PATH=path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "verb").read_text() == "apply -f -\n"
    applied = (tmp_path / "manifest").read_text()
    assert yaml.safe_load(applied)["kind"] == "JobSet"
    assert "@" not in "".join(line for line in applied.splitlines() if not line.startswith("#"))


@pytest.fixture
def slurm(tmp_path):
    """A cluster whose srun runs $STEP and whose scontrol notes what it is told."""
    program(tmp_path / "bin", "srun", f'echo "$@" >> {tmp_path}/steps; eval "$STEP"')
    path = program(tmp_path / "bin", "scontrol", f'echo "$@" >> {tmp_path}/control')
    program(tmp_path / "venv" / "bin", "python", "")
    return {
        "PATH": path,
        "BUSJAX_VENV": str(tmp_path / "venv"),
        "SLURM_JOB_ID": "7",
        "SLURM_GPUS_ON_NODE": "8",
        "SLURM_NTASKS_PER_NODE": "8",
    }


@pytest.mark.parametrize(
    ("step", "code", "told"),
    [
        ("exit 0", 0, None),
        ("exit 3", 3, None),
        ("exit 75", 0, "requeue 7\n"),
        ("exit 134", 0, "requeue 7\n"),
        ("exit 137", 0, "requeue 7\n"),
    ],
)
def test_slurm_queues_again_what_lost_a_process(slurm, tmp_path, step, code, told):
    done = run("slurm.sbatch", *FLAGS, **slurm, STEP=step)
    assert done.returncode == code, done.stderr
    assert f"{slurm['BUSJAX_VENV']}/bin/python -m busjax.main" in (tmp_path / "steps").read_text()
    control = tmp_path / "control"
    assert (control.read_text() if control.exists() else None) == told


def test_slurm_queues_again_when_its_time_is_nearly_over(slurm, tmp_path):
    with subprocess.Popen(
        ["bash", str(LAUNCH / "slurm.sbatch"), *FLAGS],
        cwd=ROOT, env={**os.environ, **slurm, "STEP": "exec sleep 5"}, stdout=subprocess.PIPE,
    ) as job:  # fmt: skip
        deadline = time.monotonic() + 20
        while not (tmp_path / "steps").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.1)
        job.send_signal(signal.SIGUSR1)
        assert job.wait(timeout=4) == 0
    assert (tmp_path / "control").read_text() == "requeue 7\n"


def test_slurm_does_not_queue_again_for_ever(slurm, tmp_path):
    done = run("slurm.sbatch", *FLAGS, **slurm, STEP="exit 137", SLURM_RESTART_COUNT="10")
    assert done.returncode == 137
    assert not (tmp_path / "control").exists()


def test_slurm_wants_a_task_for_each_gpu(slurm):
    done = run("slurm.sbatch", *FLAGS, **{**slurm, "SLURM_NTASKS_PER_NODE": "1"})
    assert done.returncode == 1
    assert "--ntasks-per-node=8" in done.stderr


def test_slurm_dry_run(slurm):
    lines = run("slurm.sbatch", "--dry_run", *FLAGS, **slurm).stdout.splitlines()
    step = shlex.split(lines[0])
    assert step[0] == "srun"
    assert step[-2:] == FLAGS
    assert lines[-1].strip() == "scontrol requeue 7"


def test_packaged_trains_on_both_sets_and_hands_the_network_over():
    given = {name: f"/data/{name} 1" for name in ("busi", "busbra", "curation", "groups", "out")}
    words = [f"--{name}={path}" for name, path in given.items()]
    done = run("packaged.sh", *words, "--dry_run", "--", "--config.train.epochs=1")
    assert done.returncode == 0, done.stderr
    train, export = (shlex.split(line) for line in done.stdout.splitlines())
    assert train[:4] == ["python", "-m", "busjax.main", "--config=pooled"]
    flags = dict(word.removeprefix("--config.").split("=") for word in train[4:-1] if "=" in word)
    assert flags.pop("--workdir") == "runs/pooled"
    assert flags == {
        "data.dir": "/data/busi 1,/data/busbra 1",
        "data.curation": "/data/curation 1",
        "data.groups": "/data/groups 1",
    }
    assert train[-1] == "--config.train.epochs=1"
    config = load_variant("pooled").but(data={"dir": flags["data.dir"]})
    assert (config.data.fit, config.data.balance) == ("pad", "set_class")
    options = dict(word.split("=", 1) for word in export if "=" in word)
    assert options["--out"] == "/data/out 1"
    assert options["--dtype"] == "float16"
    assert (ROOT / options["--notes"]).is_file()
