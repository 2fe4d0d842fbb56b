# demo.sh - sourced by the demo.sh of each app: pack, sign, publish, submit, watch, fetch, and a line of figures.
# DUGNAD       the command line; default: dugnad in the PATH. Be logged in as a scientist who may publish
# DUGNAD_KEYS  folder with the project's release keys, release*.pem: an offline folder in real life
# DUGNAD_APPS  folder with the built example programs
# DUGNAD_FIGURES  file that gets one line of figures: app, units, attempts, validated, seconds (optional)
# shellcheck shell=bash
DUGNAD=${DUGNAD:-dugnad}
DUGNAD_APPS=${DUGNAD_APPS:-$(dirname "$(command -v "$DUGNAD")")/apps}
: "${DUGNAD_KEYS:?demo.sh: set DUGNAD_KEYS to the folder with the release keys (release*.pem)}"
demo_folder=$(mktemp -d)
trap 'rm -rf "$demo_folder"' EXIT

demo_publish() { # NAME PROGRAM and options of `dugnad app pack`: packed, signed by every release key, published
    local name=$1 program=$2 to=$demo_folder/app key keys=()
    shift 2
    for key in "$DUGNAD_KEYS"/release*.pem; do keys+=(--key "$key"); done
    "$DUGNAD" app pack "$program" --quiet --name "$name" --version 1 --out "$to" "$@" >/dev/null
    "$DUGNAD" app sign "$to/release.json" --quiet "${keys[@]}" >/dev/null
    "$DUGNAD" app publish "$to/release.signed.json"
}

demo_run() { # NAME and words of `dugnad submit`: submits and waits; sets demo_batch and demo_seconds
    local name=$1 started
    shift
    started=$(date +%s%N)
    demo_batch=$("$DUGNAD" submit "$name" "$@")
    "$DUGNAD" watch "$demo_batch"
    demo_seconds=$(awk -v ns=$(($(date +%s%N) - started)) 'BEGIN { printf "%.1f", ns / 1e9 }')
}

demo_fetch() { # options of `dugnad results`: all answers into $demo_folder/results
    "$DUGNAD" results "$demo_batch" --quiet --follow --out "$demo_folder/results" "$@" >/dev/null
}

demo_figures() { # NAME: into DUGNAD_FIGURES
    [ -n "${DUGNAD_FIGURES:-}" ] || return 0
    "$DUGNAD" status "$demo_batch" --json | python3 -c '
import json, sys
s = json.load(sys.stdin)
print(sys.argv[1], s["units"], s["attempts"], s["accepted"], sys.argv[2], sep="\t")' "$1" "$demo_seconds" >>"$DUGNAD_FIGURES"
}
