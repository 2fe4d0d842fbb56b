#!/usr/bin/env bash
# quickstart.sh [--keep] [--bin FOLDER]: from a bare Debian 12 to validated answers. Installs what is needed (as root or through sudo), builds,
# makes a project in a temporary folder, starts its server and two clients of different owners on this machine, runs the three
# examples of workunits/apps, prints what came out. Leaves nothing running, unless --keep: then it says where and how to stop.
# --bin: takes the programs that are in FOLDER instead of building them.
set -euo pipefail
keep=no bin=
while [ $# -gt 0 ]; do
    case $1 in
    --keep) keep=yes ;;
    --bin)
        bin=$(cd "${2:?--bin wants a folder}" && pwd)
        shift
        ;;
    *)
        sed -n '2,6s/^# //p' "$0" >&2
        exit 2
        ;;
    esac
    shift
done
cd "$(dirname "$0")/.."
source_folder=$PWD

folder=
pids=()
stop_all() {
    local pid
    for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    pids=()
}
leave() {
    local status=$?
    trap - EXIT
    if [ $status -ne 0 ] && [ -n "$folder" ]; then
        echo "quickstart.sh: it did not work; the last lines of the logs:" >&2
        tail -n 5 "$folder"/*.log >&2 2>/dev/null || true
    fi
    if [ $status -ne 0 ] || [ $keep = no ]; then
        stop_all
        [ -z "$folder" ] || rm -rf "$folder"
    fi
    exit $status
}
trap leave EXIT
trap 'exit 130' INT TERM

say() { printf '\n== %s\n' "$*"; }

build() {
    local log=$folder/build.log
    { cmake --preset quickstart && cmake --build --preset quickstart; } >"$log" 2>&1 ||
        { grep -E 'error|FAILED' "$log" | head -20 >&2; exit 1; }
    bin=$source_folder/build-quickstart/bin
}

start() { # NAME COMMAND...: in the background, its output in NAME.log
    local name=$1
    shift
    "$@" >"$folder/$name.log" 2>&1 &
    pids+=($!)
}

wait_until_ready() {
    for _ in $(seq 100); do
        curl -skf "$url/readyz" >/dev/null && return
        kill -0 "${pids[0]}" 2>/dev/null || break
        sleep 0.1
    done
    echo "quickstart.sh: the server did not become ready" >&2
    exit 1
}

start_project() {
    "$bin/dugnad-server" --data "$folder/server" init --name quickstart --listen 127.0.0.1:0 >"$folder/init.txt"
    link=$(grep -o 'https://[^ ]*/join#[^ ]*' "$folder/init.txt" | head -n 1)
    url=${link%/join#*}
    start server "$bin/dugnad-server" --data "$folder/server" serve
    wait_until_ready
    "$bin/dugnad" login "$link" --token-file "$folder/server/operator.token"
    local owner
    for owner in ada bo; do
        "$bin/dugnad-client" --data "$folder/$owner" join "$link" >"$folder/join-$owner.txt"
        start "$owner" "$bin/dugnad-client" --data "$folder/$owner" run
    done
}

run_examples() {
    local app
    export DUGNAD=$bin/dugnad DUGNAD_KEYS=$folder/server/offline-keys DUGNAD_APPS=$bin/apps DUGNAD_FIGURES=$folder/figures
    for app in pi primes hmmsearch; do
        say "$app"
        "workunits/apps/$app/demo.sh"
    done
}

print_table() {
    say "what came out"
    printf '%-12s %6s %9s %10s %8s\n' example units attempts validated seconds
    awk -F'\t' '{ printf "%-12s %6d %9d %10d %8s\n", $1, $2, $3, $4, $5 }' "$folder/figures"
}

print_where() {
    cat <<WHERE

Where to look: README.md (reading order), workunits/wire/PROTOCOL.md (the contract), workunits/apps (these examples).
WHERE
    [ $keep = yes ] || return 0
    cat <<KEEP
Still running, in $folder:
  server   $url            (log: $folder/server.log)
  join     $link
  clients  ada, bo                          (logs: $folder/ada.log, bo.log)
  try      DUGNAD_CONFIG=$DUGNAD_CONFIG $bin/dugnad status
  stop     kill ${pids[*]} && rm -rf $folder
KEEP
}

[ -n "$bin" ] || { say "packages"; packaging/packages.sh build demo; }
folder=$(mktemp -d)
chmod 700 "$folder"
export DUGNAD_CONFIG=$folder/login
[ -n "$bin" ] || { say "build"; build; }
say "a project with two clients"
began=$(date +%s)
start_project
run_examples
print_table
echo "$(($(date +%s) - began)) s from an empty folder to validated answers"
print_where
