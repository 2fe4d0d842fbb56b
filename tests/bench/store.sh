#!/usr/bin/env bash
# store.sh [BUILD] [options of bench_store]: SQLite and PostgreSQL, both durable, on the disk of TMPDIR, in one run.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$here/../../build
if [ $# -gt 0 ] && [ -d "$1" ]; then
    build=$1
    shift
fi
folder=$(mktemp -d)
coproc postgres { exec bash "$here/../lib/pg_temp.sh" durable; }
pid=$!
# shellcheck disable=SC1083,SC2093 # descriptors by name: shellcheck does not know {postgres[1]}
exec {ask}>&"${postgres[1]}" {answer}<&"${postgres[0]}" {postgres[1]}>&-
trap 'exec {ask}>&-; wait "$pid" || true; rm -rf "$folder"' EXIT
echo new >&"$ask"
read -r url <&"$answer"
"$build/bin/bench_store" "$@" "sqlite:$folder/bench.db" "$url"
