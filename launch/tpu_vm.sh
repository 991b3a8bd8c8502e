#!/usr/bin/env bash
# Trains on a TPU VM slice: creates it by a queued resource, copies this checkout to every worker,
# installs it, runs it on all workers, follows the log, fetches the results, deletes the slice.
#
#   launch/tpu_vm.sh --name=NAME --zone=ZONE --workdir=gs://BUCKET/RUN [options] -- FLAGS...
#
# FLAGS are those of busjax.main, such as --config=configs/unetpp.py.
#   --name=NAME          of the slice
#   --zone=ZONE          such as us-west4-a
#   --workdir=gs://...   folder of the run; every worker needs the same
#   --project=PROJECT    [that of gcloud]
#   --type=TYPE          accelerator type [v5litepod-16]
#   --runtime=VERSION    software of the TPU VMs [v2-alpha-tpuv5-lite]
#   --data=FOLDER        a BUSI folder, copied to every worker
#   --fetch=FOLDER       where the results go on this machine [runs/NAME]
#   --spot               a slice that can be taken away at any time: the same command goes on
#   --existing           use a slice that is there; it is kept
#   --attach             the run is under way: follow, fetch, delete
#   --keep               keep the slice at the end
#   --dry_run            print the commands, run none
#
# The slice is deleted when the run has ended, well or not, and its results are fetched. If this
# script itself is stopped, run and slice go on: --attach takes them up again.
set -euo pipefail

name="" zone="" workdir="" project="" type="v5litepod-16" runtime="v2-alpha-tpuv5-lite"
data="" fetch="" spot="" existing="" attach="" keep="" dry_run=""

fail() { echo "tpu_vm: $*" >&2; exit 1; }

while [ $# -gt 0 ]; do
  case "$1" in
    --name=*) name="${1#*=}" ;;
    --zone=*) zone="${1#*=}" ;;
    --workdir=*) workdir="${1#*=}" ;;
    --project=*) project="${1#*=}" ;;
    --type=*) type="${1#*=}" ;;
    --runtime=*) runtime="${1#*=}" ;;
    --data=*) data="${1#*=}" ;;
    --fetch=*) fetch="${1#*=}" ;;
    --spot) spot=1 ;;
    --existing) existing=1 ;;
    --attach) attach=1 ;;
    --keep) keep=1 ;;
    --dry_run) dry_run=1 ;;
    --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    --) shift; break ;;
    *) fail "unknown option $1 (see --help; the flags of busjax.main come after --)" ;;
  esac
  shift
done
[ -n "$name" ] || fail "--name=NAME of the slice is missing"
[ -n "$zone" ] || fail "--zone=ZONE is missing"
case "$workdir" in
  gs://?*) ;;
  *) fail "--workdir=gs://BUCKET/RUN is missing: every worker needs the same folder" ;;
esac
[ $# -gt 0 ] || [ -n "$attach" ] || fail "the flags of busjax.main are missing: -- --config=..."
[ -z "$data" ] || [ -d "$data" ] || fail "--data=$data is no folder"
fetch="${fetch:-runs/$name}"

where=(--zone="$zone")
[ -z "$project" ] || where+=(--project="$project")

# Runs a command; with --dry_run only prints it, as it could be typed.
run() {
  if [ -n "$dry_run" ]; then
    printf '%q ' "$@"
    echo
  else
    "$@"
  fi
}

on_workers() { run gcloud compute tpus tpu-vm ssh "$name" "${where[@]}" --worker="$1" --command="$2"; }
to_workers() { run gcloud compute tpus tpu-vm scp "${@:2}" "$1" "$name:" "${where[@]}" --worker=all; }

create() {
  local options=(--node-id="$name" --accelerator-type="$type" --runtime-version="$runtime")
  [ -z "$spot" ] || options+=(--spot)
  run gcloud compute tpus queued-resources create "$name" "${options[@]}" "${where[@]}"
  local state=""
  while [ "$state" != ACTIVE ] && [ -z "$dry_run" ]; do
    state=$(gcloud compute tpus queued-resources describe "$name" "${where[@]}" \
      --format='value(state.state)')
    echo "slice $name: $state"
    case "$state" in
      FAILED | SUSPENDED) fail "the slice cannot be had; $(deletion)" ;;
      ACTIVE) ;;
      *) sleep 30 ;;
    esac
  done
}

copy() {
  local archive
  archive="$(mktemp -d)/busjax.tar.gz"
  if [ -n "$dry_run" ]; then
    echo "git ls-files --cached --others --exclude-standard -z | tar --null -T - -czf $archive"
  else
    git ls-files --cached --others --exclude-standard -z | tar --null -T - -czf "$archive"
  fi
  to_workers "$archive"
  [ -z "$data" ] || to_workers "$data" --recurse
  on_workers all "mkdir -p busjax && tar xzf busjax.tar.gz -C busjax"
}

install() { on_workers all "bash busjax/launch/on_worker.sh install tpu"; }

start() {
  local flags=(--workdir="$workdir")
  [ -z "$data" ] || flags+=(--config.data.dir="../$(basename "$data")")
  on_workers all "bash busjax/launch/on_worker.sh run$(printf ' %q' "${flags[@]}" "$@")"
}

# Returns the exit code of worker 0.
follow() { on_workers 0 "bash busjax/launch/on_worker.sh follow"; }

deletion() {
  echo "delete it with: gcloud compute tpus queued-resources delete $name --force ${where[*]}"
}

delete() { run gcloud compute tpus queued-resources delete "$name" --force --quiet "${where[@]}"; }

cd "$(dirname "$0")/.."
[ -f pyproject.toml ] || fail "this is an installed busjax: a slice is given a copy of a checkout; run launch/tpu_vm.sh of one"
trap 'echo "tpu_vm: stopped; the slice $name, if it was created, is still there: go on with --attach, or $(deletion)" >&2; exit 130' INT TERM
if [ -z "$attach" ]; then
  [ -n "$existing" ] || create
  copy
  install
  start "$@"
fi
code=0
follow || code=$?
run mkdir -p "$fetch"
run gcloud storage rsync --recursive "$workdir" "$fetch"
[ -n "$keep$existing" ] || delete
exit "$code"
