#!/usr/bin/env bash
# Makes the network that comes with the package again: trains it on BUSI and BUS-BRA together, and
# writes it as a folder to hand over. Two CPU cores take 25 to 60 minutes; a run that was stopped
# goes on.
#
#   launch/packaged.sh --busi=FOLDER --busbra=FOLDER --curation=FILE --groups=FILE --out=FOLDER [-- FLAGS...]
#
# FLAGS are those of busjax.main, such as --config.train.epochs=1.
#   --busi=FOLDER        BUSI (Dataset_BUSI_with_GT), in its true proportions
#   --busbra=FOLDER      BUS-BRA (Images, Masks, bus_data.csv)
#   --curation=FILE      the list of 'Curated BUSI' (class;id): 450 images
#   --groups=FILE        the list of Pawlowska et al.: the images of BUSI that belong together
#   --out=FOLDER         for the network
#   --workdir=FOLDER     of the run [runs/pooled]
#   --dry_run            print the commands, run none
set -euo pipefail

busi="" busbra="" curation="" groups="" out="" workdir="runs/pooled" dry_run=""
notes="$(dirname "$0")/packaged.md"

fail() { echo "packaged: $*" >&2; exit 1; }

while [ $# -gt 0 ]; do
  case "$1" in
    --busi=*) busi="${1#*=}" ;;
    --busbra=*) busbra="${1#*=}" ;;
    --curation=*) curation="${1#*=}" ;;
    --groups=*) groups="${1#*=}" ;;
    --out=*) out="${1#*=}" ;;
    --workdir=*) workdir="${1#*=}" ;;
    --dry_run) dry_run=1 ;;
    --help | -h) sed -n '2,/^set -/{s/^# \{0,1\}//;/^set -/!p;}' "$0"; exit 0 ;;
    --) shift; break ;;
    *) fail "unknown option '$1': see the head of $0" ;;
  esac
  shift
done
for name in busi busbra curation groups out; do
  [ -n "${!name}" ] || fail "--$name is missing: see the head of $0"
done

run() {
  if [ -n "$dry_run" ]; then printf '%q ' "$@"; echo; else "$@"; fi
}

run python -m busjax.main --config=pooled --config.data.dir="$busi,$busbra" \
  --config.data.curation="$curation" --config.data.groups="$groups" --workdir="$workdir" "$@"
run python -m busjax export --workdir="$workdir" --format=folder --dtype=float16 \
  --licence="CC BY 4.0, for research; see the model card" --notes="$notes" --out="$out"
