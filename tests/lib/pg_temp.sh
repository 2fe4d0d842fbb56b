#!/usr/bin/env bash
# pg_temp.sh [durable] [NAME=VALUE...]: a private PostgreSQL on a Unix socket, for as long as standard input is open.
# Each line "new" on standard input is answered with the URL of an empty database; "break" ends all connections and
# "stop" (or "kill", with -9) and "start" the server, answered with "ok". The server and its folder are gone when standard input ends, also when
# whoever holds it is killed. durable: with fsync, for measuring. NAME=VALUE: a setting of PostgreSQL.
set -euo pipefail

find_program() { # the newest installed one
    local path
    path=$(command -v "$1" || true)
    [ -n "$path" ] || path=$(find /usr/lib/postgresql /usr/pgsql-* -path "*/bin/$1" 2>/dev/null | sort -V | tail -1)
    [ -n "$path" ] || { echo "pg_temp.sh: no $1: install PostgreSQL (packaging/packages.sh test)" >&2; exit 1; }
    echo "$path"
}
initdb=$(find_program initdb)
postgres=$(find_program postgres)
psql=$(find_program psql)

folder=$(mktemp -d /tmp/dugnad-pg-XXXXXX)
user=$(id -un)
as=()
if [ "$(id -u)" -eq 0 ]; then # it refuses to run as root
    user=postgres
    getent passwd "$user" >/dev/null || user=nobody
    chown "$user" "$folder"
    as=(setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups)
fi
server=
cleanup() {
    trap '' INT TERM HUP # the tests' Ctrl-C reaches this too
    if [ -n "$server" ]; then
        kill -INT "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

settings=(-c listen_addresses= -c unix_socket_directories="$folder" -c max_connections=200
    -c shared_buffers=64MB -c log_min_messages=fatal -c autovacuum_naptime=10s)
if [ "${1:-}" = durable ]; then
    shift
else
    settings+=(-c fsync=off -c full_page_writes=off)
fi
for setting in "$@"; do
    settings+=(-c "$setting")
done

sql() {
    "$psql" -X -q -h "$folder" -U dugnad -d "${2:-postgres}" -v ON_ERROR_STOP=1 -Atc "$1" >/dev/null
}
start() {
    (cd "$folder" && exec "${as[@]}" "$postgres" -D "$folder/data" "${settings[@]}" >"$folder/log" 2>&1 </dev/null) &
    server=$!
    for _ in $(seq 200); do
        if sql 'SELECT 1' 2>/dev/null; then
            return
        fi
        kill -0 "$server" 2>/dev/null || break
        sleep 0.05
    done
    cat "$folder/log" >&2
    exit 1
}

(cd "$folder" && "${as[@]}" "$initdb" -D "$folder/data" -U dugnad -A trust -E UTF8 --locale=C.UTF-8 --no-sync) \
    >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
start
made=0
while read -r word; do
    case $word in
    new)
        made=$((made + 1))
        sql "CREATE SCHEMA s$made"
        echo "postgresql:///postgres?host=$folder&user=dugnad&options=-csearch_path%3Ds$made"
        ;;
    break)
        sql 'SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
             WHERE pid <> pg_backend_pid() AND backend_type = $$client backend$$'
        echo ok
        ;;
    stop)
        kill -INT "$server"
        wait "$server" || true
        echo ok
        ;;
    kill) # -9, all of it: what was committed is in the log
        all=$(cat "/proc/$server/task/$server/children")
        # shellcheck disable=SC2086 # several numbers
        kill -KILL "$server" $all 2>/dev/null || true
        wait "$server" 2>/dev/null || true
        for pid in $all; do
            while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
        done
        echo ok
        ;;
    start)
        start
        echo ok
        ;;
    esac
done
