#!/usr/bin/env bash
# Trains on GKE by launch/gke_jobset.yaml: fills it in and applies it with kubectl. The cluster has
# the JobSet controller, and a node pool of the accelerator.
#
#   launch/gke.sh --name=NAME --image=IMAGE --accelerator=KIND --workers=N --chips=N \
#     --workdir=gs://BUCKET/RUN [options] -- FLAGS...
#
# FLAGS are those of busjax.main, such as --config=configs/unetpp.py.
#   --name=NAME          of the JobSet
#   --image=IMAGE        with busjax[gcs] and the JAX of the accelerator (launch/Dockerfile)
#   --accelerator=KIND   such as tpu-v5-lite-podslice or nvidia-h100-80gb
#   --topology=TOPOLOGY  of the TPU slice, such as 4x4
#   --workers=N          pods, one a node
#   --chips=N            TPU chips or GPUs of a node
#   --workdir=gs://...   folder of the run
#   --restarts=N         times that all pods are started again after a failure [10]
#   --dry_run            print the manifest and the commands, run none
set -euo pipefail

name="" image="" accelerator="" topology="" workers="" chips="" workdir="" restarts=10 dry_run=""

fail() { echo "gke: $*" >&2; exit 1; }

while [ $# -gt 0 ]; do
  case "$1" in
    --name=*) name="${1#*=}" ;;
    --image=*) image="${1#*=}" ;;
    --accelerator=*) accelerator="${1#*=}" ;;
    --topology=*) topology="${1#*=}" ;;
    --workers=*) workers="${1#*=}" ;;
    --chips=*) chips="${1#*=}" ;;
    --workdir=*) workdir="${1#*=}" ;;
    --restarts=*) restarts="${1#*=}" ;;
    --dry_run) dry_run=1 ;;
    --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    --) shift; break ;;
    *) fail "unknown option $1 (see --help; the flags of busjax.main come after --)" ;;
  esac
  shift
done
for option in name image accelerator workers chips workdir; do
  [ -n "${!option}" ] || fail "--$option is missing (see --help)"
done
for option in workers chips restarts; do
  [[ "${!option}" =~ ^[0-9]+$ ]] || fail "--$option=${!option} must be a whole number"
done
[[ "$name" =~ ^[a-z]([-a-z0-9]*[a-z0-9])?$ ]] || fail "--name=$name: lower-case letters, digits, -"
[[ "$workdir" == gs://?* ]] || fail "--workdir=$workdir must be gs://BUCKET/RUN"
[ $# -gt 0 ] || fail "the flags of busjax.main are missing: -- --config=..."

# A JSON string, which is a YAML one.
quoted() {
  local text="${1//\\/\\\\}"
  printf '"%s"' "${text//\"/\\\"}"
}

# On a TPU slice GKE tells each pod its place; elsewhere it follows from the index of the pod.
if [[ "$accelerator" == tpu* ]]; then
  [ -n "$topology" ] || fail "--topology is missing: that of the TPU slice, such as 4x4"
  selector="{cloud.google.com/gke-tpu-accelerator: $(quoted "$accelerator"), "
  selector+="cloud.google.com/gke-tpu-topology: $(quoted "$topology")}"
  devices="{google.com/tpu: $chips}"
  place="[]"
else
  selector="{cloud.google.com/gke-accelerator: $(quoted "$accelerator")}"
  devices="{nvidia.com/gpu: $chips}"
  index="metadata.annotations['batch.kubernetes.io/job-completion-index']"
  place="[{name: BUSJAX_COORDINATOR, value: \"$name-worker-0-0.$name:8476\"}, "
  place+="{name: BUSJAX_PROCESSES, value: \"$workers\"}, "
  place+="{name: BUSJAX_PROCESS_INDEX, valueFrom: {fieldRef: {fieldPath: \"$index\"}}}]"
fi
flags="[$(quoted "--workdir=$workdir")"
for flag in "$@"; do flags+=", $(quoted "$flag")"; done
flags+="]"

manifest="$(cat "$(dirname "$0")/gke_jobset.yaml")"
fill() { manifest="${manifest//"\"@$1@\""/"$2"}"; }
fill NAME "$name"
fill RESTARTS "$restarts"
fill WORKERS "$workers"
fill SELECTOR "$selector"
fill IMAGE "$(quoted "$image")"
fill FLAGS "$flags"
fill PLACE "$place"
fill DEVICES "$devices"

apply=(kubectl apply -f -)
if [ -n "$dry_run" ]; then
  printf '%s <<END\n%s\nEND\n' "${apply[*]}" "$manifest"
else
  "${apply[@]}" <<< "$manifest"
fi
echo "# follow: kubectl logs -f -l jobset.sigs.k8s.io/jobset-name=$name --tail=-1"
echo "# fetch:  gcloud storage rsync --recursive $workdir runs/$name"
echo "# delete: kubectl delete jobset $name"
