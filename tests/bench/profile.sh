#!/usr/bin/env bash
# profile.sh BUILD [REQUESTS] [PER_REQUEST]: callgrind's instructions of the server for each request, report 1 + lease 1 (or more), by what they are for.
# They do not depend on what else the machine does, so that two versions can be compared on a busy one; the kernel's part is not in them.
# QUORUM=2: as server.sh hot has it; otherwise answers count by trust (adaptive).
# BUILD: built with -g (RelWithDebInfo, or -DCMAKE_C_FLAGS=-g); load and dugnad are taken from there or from build/bin.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,4p' "$0"; exit 2; }
server=$(realpath "$1")/bin/dugnad-server requests=${2:-2000} per=${3:-1}
bin=$(dirname "$server")
cd "$(dirname "$0")/../.."
[ -x "$bin/load" ] || bin=$(realpath build/bin)
folder=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT
export DUGNAD_CONFIG=$folder/login DUGNAD=$bin/dugnad DUGNAD_KEYS=$folder/server/offline-keys DUGNAD_APPS=$bin/apps
link=$("$server" --data "$folder/server" init --name bench --listen 127.0.0.1:0 | grep -o 'https://[^ ]*join#[^ ]*' | head -n 1)
url=${link%/join*} port=${link%/join*}
port=${port##*:}
valgrind --tool=callgrind --instr-atstart=no --callgrind-out-file="$folder/out" "$server" --data "$folder/server" serve --token-rate 0 --address-rate 0 2>"$folder/log" &
pid=$!
until curl -skf "$url/readyz" >/dev/null; do sleep 0.2; done
"$bin/dugnad" login "$link" --token-file "$folder/server/operator.token" >/dev/null
bash -c '. workunits/apps/demo.sh; demo_publish pi "$DUGNAD_APPS/pi" --output out' >/dev/null 2>&1
"$bin/load" join --port "$port" --hosts 64 --connections 8 --out "$folder/hosts" >/dev/null
"$bin/dugnad" submit pi --array "0..$((requests * per * 3 + 20000))" ${QUORUM:+--quorum "$QUORUM"} -- --block {} >/dev/null 2>&1
sleep 3
work() { "$bin/load" work --port "$port" --hosts-file "$folder/hosts" --connections 64 --seconds 600 --per-request "$per" --until "$1"; }
work $((64 * per)) >/dev/null
callgrind_control -i on "$pid" >/dev/null 2>&1
line=$(work $((requests * per)))
callgrind_control -i off "$pid" >/dev/null 2>&1
kill "$pid"
wait "$pid" || true
pid=
[ -z "${KEEP:-}" ] || cp "$folder"/out* "$KEEP"
python3 tests/bench/instructions.py "$folder"/out* --line "$line"
