#!/usr/bin/env bash
# What tpu_vm.sh does on a worker, from the home folder that holds the copied busjax.tar.gz:
#
#   on_worker.sh install EXTRA    the Python environment ~/venv, with jax[EXTRA]
#   on_worker.sh run FLAGS...     busjax.main in the background: a lost connection does not end it
#   on_worker.sh follow           its log to its end; returns its exit code
set -euo pipefail

cd "$(dirname "$0")/../.."

install() {
  local python
  python=$(command -v python3.13 || command -v python3.12 || command -v python3.11 || true)
  if [ -z "$python" ]; then # the images of TPU VMs may have an older one only
    sudo apt-get update -q
    sudo apt-get install -qy python3.11-venv
    python=python3.11
  fi
  [ -d venv ] || "$python" -m venv venv
  venv/bin/python -m pip install --quiet -e './busjax[gcs]' "jax[$1]"
}

run() {
  rm -f run.code run.log
  # A shell of its own writes the exit code when the run has ended.
  nohup bash -c 'cd busjax; ../venv/bin/python -m busjax.main "$@"; echo $? > ../run.code' \
    busjax "$@" > run.log 2>&1 < /dev/null &
}

follow() {
  tail -n +1 -F run.log 2> /dev/null &
  local tail=$!
  while [ ! -s run.code ]; do sleep 1; done
  sleep 1 # for the last lines
  kill "$tail"
  return "$(cat run.code)"
}

"$@"
