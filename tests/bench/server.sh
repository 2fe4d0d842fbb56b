#!/usr/bin/env bash
# server.sh BUILD FIGURE...: what one server does on this machine, load generator on the same cores, TLS, durable commits. FIGURE:
#   hot       no-op, a host's call without a wish (the engine's queue and no commit), report 1 + lease 1 at 64 and 256 connections, report 50 + lease 50:
#             alternating, ROUNDS times; CPU of the server for each, and by thread
#   life      whole life of units, quorum 2, different owners, 1 and 50 per request: validated units/s, server CPU for each
#   half      latency of report 1 + lease 1 at RATE requests/s (default: half of the hot figure of a first round)
#   queued    the same with 10,000, 1,000,000 and 10,000,000 units queued, and how fast they are made
#   lines     UNITS units submitted as lines by the command line, uploaded as a stream, with a kill -9 of the sender in the middle and the same command again
#   restart   kill -9, start, first lease, with UNITS units
#   bytes     what a finished unit with two attempts takes of the database, history included: with answers of their own and with one for all
#   tls       new connections: full and resumed handshakes; memory of an idle one
#   herd      HOSTS hosts that all come within a second: over 6,000 connections used again (fewer than a crowd), and each over its own, which it keeps (at most CONNECTIONS at a time),
#             beside the peak of the same kind of requests; how long /healthz and an operator's question took meanwhile
# Prints a line for people, then one of JSON. ROUNDS=3 SECONDS_EACH=5 UNITS=1000000 HOSTS=15000 CONNECTIONS=15000, ANSWER=--same-answer
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,14p' "$0"; exit 2; }
bin=$(realpath "$1")/bin
shift
rounds=${ROUNDS:-3} seconds=${SECONDS_EACH:-5} units=${UNITS:-1000000} hosts=${HOSTS:-15000} connections=${CONNECTIONS:-15000}
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
pid=
stop() { [ -z "$pid" ] || { kill "-${1:-TERM}" "$pid" && wait "$pid" || true; } 2>/dev/null; pid=; }
trap 'touch "$folder/enough"; stop; rm -rf "$folder"' EXIT
export DUGNAD_CONFIG=$folder/login DUGNAD=$bin/dugnad DUGNAD_KEYS=$folder/server/offline-keys DUGNAD_APPS=$bin/apps

serve() {
    "$bin/dugnad-server" --data "$folder/server" serve --token-rate 0 --address-rate 0 --connections-per-address 100000 2>>"$folder/log" &
    pid=$!
    until curl -skf "$url/readyz" >/dev/null; do sleep 0.05; done
}
cpu_ms() { awk -v hz="$(getconf CLK_TCK)" '{ print int(($14 + $15) * 1000 / hz) }' "/proc/$pid/stat"; }
resident() { awk '/VmRSS/ { printf "%.0f MiB", $2 / 1024 }' "/proc/$pid/status"; }
load() { "$bin/load" "$1" --port "$port" "${@:2}"; }
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
submit() { # COUNT and options of submit: an array, made; sets batch
    local began
    began=$(date +%s%3N)
    batch=$("$bin/dugnad" submit pi --array "0..$(($1 - 1))" "${@:2}" -- --block {} 2>/dev/null)
    until [ "$("$bin/dugnad" status "$batch" --json | field units)" -ge "$1" ]; do sleep 0.2; done
    awk -v n="$1" -v ms=$(($(date +%s%3N) - began)) 'BEGIN { printf "%d units made in %.1f s: %d/s\n", n, ms / 1000, n * 1000 / ms
        printf "{\"figure\": \"array\", \"units\": %d, \"ms\": %d}\n", n, ms }'
}
measure() { # WORD and options of load: its line with the server's CPU for each request, and by thread
    local said
    said=$(load "$@" --server "$pid") || true # broken connections are in the line
    python3 tests/bench/measured.py line "${*//$folder\//}" "$said" | tee -a "$folder/measured"
}
hosts_do=(--hosts-file "$folder/hosts" --project "$folder/project" --seconds "$seconds")
[ -z "${ANSWER:-}" ] || hosts_do+=("$ANSWER")
work=(work "${hosts_do[@]}" --connections 64)

hot() {
    : >"$folder/measured"
    submit "$units" --quorum 2
    local round
    for round in $(seq "$rounds"); do
        echo "round $round"
        local c
        for c in 64 256; do
            measure noop --connections "$c" --seconds "$seconds"
            measure beat --hosts-file "$folder/hosts" --connections "$c" --seconds "$seconds"
            measure work "${hosts_do[@]}" --connections "$c"
        done
        measure "${work[@]}" --per-request 50
    done
    python3 tests/bench/measured.py shares "$folder/measured"
    echo "resident with what is left queued: $(resident); database: $(du -m "$folder/server/project.db" | cut -f1) MiB"
}
life() {
    local k
    for k in 1 50; do # second copies go out when the first are nearly all out: the life of few units, from end to end
        submit "$((seconds * 4000))" --quorum 2
        measure work "${hosts_do[@]}" --connections 64 --per-request $k --seconds 120 --until "$((seconds * 7600))"
        python3 tests/bench/measured.py life "$("$bin/dugnad" status "$batch" --json | field accepted)" "$folder/measured"
        "$bin/dugnad" cancel "$batch" >/dev/null 2>&1 || true # what a few hosts still held
    done
}
half() {
    submit "$units" --quorum 2
    measure "${work[@]}" --per-request 1 --rate "${RATE:-$(load "${work[@]}" --per-request 1 | python3 -c 'import json, sys; print(int(json.load(sys.stdin)["per_second"] / 2))')}"
}
queued() {
    local n
    for n in 10000 1000000 10000000; do
        submit "$n" --quorum 2
        measure "${work[@]}" --per-request 1 --until 15000
        echo "resident: $(resident)"
        "$bin/dugnad" cancel "$batch" >/dev/null 2>&1
        sleep 8
    done
}
lines() {
    local began before ms sender
    seq 1 "$units" >"$folder/lines.txt"
    before=$(cpu_ms)
    began=$(date +%s%3N)
    batch=$("$bin/dugnad" submit pi --each-line "$folder/lines.txt" -- --block {} 2>/dev/null)
    ms=$(($(date +%s%3N) - began))
    awk -v n="$units" -v ms=$ms -v cpu=$(($(cpu_ms) - before)) -v is="$("$bin/dugnad" status "$batch" --json | field units)" -v mem="$(resident)" \
        'BEGIN { printf "%d of %d lines in %.1f s: %d units/s, %.1f us of server CPU each, %s resident\n", is, n, ms / 1000, n * 1000 / ms, cpu * 1000 / n, mem
            printf "{\"figure\": \"lines\", \"units\": %d, \"ms\": %d, \"server_us_each\": %.2f}\n", is, ms, cpu * 1000 / n }'
    "$bin/dugnad" submit pi --each-line "$folder/lines.txt" --key bench-again -- --block {} >/dev/null 2>&1 &
    sender=$!
    sleep "$(awk -v ms=$ms 'BEGIN { print ms / 2000 }')"
    kill -9 $sender && wait $sender 2>/dev/null || true
    began=$(date +%s%3N)
    batch=$("$bin/dugnad" submit pi --each-line "$folder/lines.txt" --key bench-again -- --block {} 2>/dev/null)
    ms=$(($(date +%s%3N) - began))
    awk -v n="$units" -v ms=$ms -v is="$("$bin/dugnad" status "$batch" --json | field units)" \
        'BEGIN { printf "killed half way, the same command again: %d of %d after another %.1f s\n", is, n, ms / 1000
            printf "{\"figure\": \"lines again\", \"units\": %d, \"ms\": %d}\n", is, ms }'
}

restart() {
    submit "$units"
    stop KILL
    local began token
    read -r token <"$folder/hosts"
    began=$(date +%s%3N)
    serve
    curl -sk -X POST "$url/v1/work" -H "Authorization: Bearer $token" -d '{"want":{"seconds":1,"cores":1,"units_max":1,"cached":[]}}' | grep -q '"spec"'
    awk -v ms=$(($(date +%s%3N) - began)) -v n="$units" 'BEGIN { printf "first lease %d ms after the start\n{\"figure\": \"restart\", \"units\": %d, \"ms\": %d}\n", ms, n, ms }'
}
database_bytes() { # pages in use, with nothing left in the log
    stop
    python3 -c 'import sqlite3, sys
ask = lambda what: sqlite3.connect(sys.argv[1]).execute("PRAGMA " + what).fetchone()[0]
print((ask("page_count") - ask("freelist_count")) * ask("page_size"))' "$folder/server/project.db"
    serve
}
bytes() {
    local kind before after count=40000
    for kind in "" --same-answer; do
        database_bytes >"$folder/bytes" # not in a subshell: it starts the server anew
        before=$(cat "$folder/bytes")
        submit $count --quorum 2
        # shellcheck disable=SC2086 # an option or none
        "$bin/load" work --port "$port" --hosts-file "$folder/hosts" --connections 64 --seconds 600 --per-request 50 $kind >/dev/null 2>&1 &
        until [ "$("$bin/dugnad" status "$batch" --json | field state)" = "done" ]; do sleep 0.5; done
        kill $! && wait $! 2>/dev/null || true
        database_bytes >"$folder/bytes"
        after=$(cat "$folder/bytes")
        awk -v n=$count -v b=$((after - before)) -v kind="${kind:-answers of their own}" 'BEGIN { printf "%d units, two attempts each, %s: %.0f bytes of the database each\n", n, kind, b / n
            printf "{\"figure\": \"bytes\", \"kind\": \"%s\", \"units\": %d, \"bytes_each\": %.0f}\n", kind, n, b / n }'
    done
}
tls() {
    measure tls --connections 16 --seconds "$seconds"
    measure tls --connections 16 --seconds "$seconds" --resume
    idle
}
idle() { # what a connection costs that has asked once and is kept
    local before after count=4000 player
    before=$(awk '/VmRSS/ { print $2 }' "/proc/$pid/status")
    load idle --connections $count --seconds 12 >/dev/null &
    player=$!
    sleep 10
    after=$(awk '/VmRSS/ { print $2 }' "/proc/$pid/status")
    wait $player
    awk -v n=$count -v kb=$((after - before)) 'BEGIN { printf "%d idle connections: %.1f KiB of the server each\n", n, kb / n
        printf "{\"figure\": \"idle\", \"connections\": %d, \"kib_each\": %.1f}\n", n, kb / n }'
}
herd() {
    submit "$((4 * hosts))"
    load join --hosts "$hosts" --connections 256 --out "$folder/herd" >/dev/null
    : >"$folder/measured"
    local kind
    for kind in "" --hold; do
        echo "${kind:-connections used again}: the peak with 256 connections, then all at once"
        # shellcheck disable=SC2086 # an option or none
        measure herd --hosts-file "$folder/herd" --hosts "$((${#kind} ? hosts / 10 : hosts))" --connections 256 --seconds 120 ${kind:+--fresh}
        watch_door & local watcher=$!
        # shellcheck disable=SC2086
        measure herd --hosts-file "$folder/herd" --hosts "$hosts" --connections "$([ -n "$kind" ] && echo "$connections" || echo 6000)" --seconds 600 $kind
        touch "$folder/enough"
        wait "$watcher"
        echo "resident: $(resident), at most $(awk '/VmHWM/ { printf "%.0f MiB", $2 / 1024 }' "/proc/$pid/status")"
    done
    python3 tests/bench/measured.py goodput "$folder/measured"
}
watch_door() { # the slowest of both, asked five times a second over new connections
    rm -f "$folder/enough"
    local token what took
    token=$(cat "$folder/server/operator.token")
    while [ -d "$folder" ] && [ ! -e "$folder/enough" ]; do
        for what in healthz v1/batches; do
            took=$(curl -sk -m 30 -o /dev/null -w '%{http_code} %{time_total}' -H "Authorization: Bearer $token" "$url/$what" || true)
            echo "$what $took"
        done
        sleep 0.2
    done | awk '$2 != 200 { bad[$1]++ } { n[$1]++; if ($3 > most[$1]) most[$1] = $3 }
        END { for (w in n) printf "meanwhile /%s: asked %d times, %d without an answer of 200, at most %.2f s\n", w, n[w], bad[w], most[w] }'
}

link=$("$bin/dugnad-server" --data "$folder/server" init --name bench --listen 127.0.0.1:0 | grep -o 'https://[^ ]*join#[^ ]*' | head -n 1)
url=${link%/join*} port=${link%/join*}
port=${port##*:}
serve
"$bin/dugnad" login "$link" --token-file "$folder/server/operator.token" >/dev/null
bash -c '. workunits/apps/demo.sh; demo_publish pi "$DUGNAD_APPS/pi" --output out' >/dev/null 2>&1
load join --hosts 600 --out "$folder/hosts" >/dev/null
stop # hosts that joined in one burst may not check each other where many are known: as if a quarter of an hour had been between each two
python3 -c 'import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute("UPDATE host SET created_ms = created_ms - id * 900000"); db.commit()' "$folder/server/project.db"
serve
curl -sk "$url/v1/project" >"$folder/project"
for figure in "$@"; do
    echo "== $figure"
    "$figure"
done
