#!/usr/bin/env bash
# servers.sh BUILD [--seconds 4] [--rounds 3] [--servers 1,2,3] [--per-request 1,50] [--connections 192] [--settings NAME=VALUE,...] [--statements]
# What servers do on one PostgreSQL beside one server on SQLite: report K, lease K, durable, answers of their own, in turn in one run on the same disk: one server on
# each, then more on the same PostgreSQL, the connections split over them. Rates, turns, and the CPU of a request by server, PostgreSQL and generator.
# --settings: of PostgreSQL, shared_buffers=1GB,max_wal_size=8GB when not said. --statements: at the end what each statement took of PostgreSQL (pg_stat_statements, Debian's package has it).
# A table for people on standard error, a line of JSON for each run and one for the shares on standard output.
set -euo pipefail
[ $# -ge 1 ] && [ -d "$1/bin" ] || { sed -n '2,6p' "$0"; exit 2; }
DUGNAD_BIN=$(realpath "$1/bin")
export DUGNAD_BIN
shift
exec /usr/bin/python3 "$(dirname "$0")/servers.py" "$@"
