#!/usr/bin/env bash
# stream_rounds.sh RECORDS: a producer, two cursors and three consumers of one of them; in the middle one is killed with -9 and one
# is stopped for a while. Every record must reach each cursor, those of a group in order at whoever has them, and the server's
# memory must not grow. Records are groups of ten. Be logged in; SERVER_PID: the server, when it is here.
set -euo pipefail
records=${1:?stream_rounds.sh RECORDS}
DUGNAD=${DUGNAD:-dugnad}
each=$((records / 40 < 500 ? records / 40 : 500)) # records of a program
stop_s=${STOP_S:-$((records >= 500000 ? 60 : 3))}
stream=rounds-$$
work=$(mktemp -d)
pids=()
end() {
  for pid in "${pids[@]}"; do kill -CONT "$pid" 2>/dev/null || true; kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  "$DUGNAD" stream rm "$stream" --quiet 2>/dev/null || true
  rm -rf "$work"
}
trap end EXIT

rss() { [ -z "${SERVER_PID:-}" ] || awk '/^VmRSS/ { print $2 }' "/proc/$SERVER_PID/status"; }

consume() { # CURSOR NAME SECONDS: a consumer whose programs write what they get into one file, and take so long for it
  "$DUGNAD" consume "$stream" --cursor "$1" --batch "$each" --lease 5s --quiet -- sh -c "cat >> $work/$2; sleep $3" 2>/dev/null &
  pids+=($!)
}

depth() { # of the cursor, and what was redelivered
  "$DUGNAD" streams --json 2>/dev/null | python3 -c '
import json, sys
for s in json.load(sys.stdin).get("items", []): # none while the server is away
    if s["stream"] == sys.argv[1] and s.get("cursor") == sys.argv[2]:
        print(s["depth"], s["redelivered"], s["last"])' "$stream" "$1"
}

begun=$(date +%s%N)
seq 0 $((records - 1)) | awk '{ printf "%d %d\n", int($1 / 10), $1 % 10 }' >"$work/all"
"$DUGNAD" publish "$stream" --group-by-word --quiet <"$work/all" &
producer=$!
consume alone alone 0
consume shared one 0.1; first=$!
consume shared two 0.1; second=$!
consume shared three 0.1
memory=()
wait_for() { # SHARE of all records at the shared cursor
  while :; do
    read -r waits _ last _ <<<"$(depth shared) 0 0 0"
    [ "$last" -ge $((records * $1 / 100)) ] && [ "$waits" -le $((records - records * $1 / 100)) ] && return
    kill -0 $producer 2>/dev/null || [ "$waits" -gt 0 ] || return 0
    sleep 0.2
  done
}
wait_for 25
disown "$first"
kill -9 "$first" # between its programs or within one: what it had comes back after its lease
memory+=("$(rss)")
kill -STOP "$second"
stopped=$(date +%s)
wait_for 60
memory+=("$(rss)")
left=$((stop_s - ($(date +%s) - stopped)))
[ "$left" -le 0 ] || sleep "$left"
kill -CONT "$second"
wait $producer
published=$(date +%s%N)
while :; do
  read -r a _ <<<"$(depth alone) 1"
  read -r b again last _ <<<"$(depth shared) 1 0 0"
  [ "$a" = 0 ] && [ "$b" = 0 ] && break
  sleep 0.2
done
[ "$last" -eq "$records" ] || { echo "$records records were published, the stream has $last"; exit 1; }
memory+=("$(rss)")
ended=$(date +%s%N)

python3 - "$work" "$records" <<'P'
import sys
folder, count = sys.argv[1], int(sys.argv[2])

def read(name):
    try:
        return [tuple(map(int, line.split())) for line in open(f"{folder}/{name}") if line.count(" ") == 1]
    except FileNotFoundError:
        return []

def check(cursor, files):
    seen = bytearray(count)
    for name in files:
        place = {}
        for group, n in read(name):
            seen[group * 10 + n] = 1
            if n > place.get(group, -1) + 1:
                sys.exit(f"{name}: record {n} of group {group} came before {place.get(group, -1) + 1}")
            place[group] = max(n, place.get(group, -1)) if n else 0
    if seen.count(0):
        sys.exit(f"cursor {cursor}: {seen.count(0)} of {count} records never came, the first is {seen.index(0)}")
    return sum(len(read(name)) for name in files) - count

twice = check("alone", ["alone"]), check("shared", ["one", "two", "three"])
print(f"{count} records reached both cursors; handled twice: {twice[0]} of the first, {twice[1]} of the shared one")
P
awk -v n="$records" -v p=$((published - begun)) -v e=$((ended - begun)) -v again="$again" 'BEGIN {
  printf "published in %.1f s (%d records/s), all handled after %.1f s (%d records/s for each cursor); %d redelivered\n", p / 1e9, n / (p / 1e9), e / 1e9, n / (e / 1e9), again }'
[ -z "${SERVER_PID:-}" ] || echo "server memory (KiB) at a quarter, at 60 % and at the end: ${memory[*]}"
