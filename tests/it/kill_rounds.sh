#!/usr/bin/env bash
# kill_rounds.sh BIN [ROUNDS [SEED]]: kill -9 of the server and of clients, ROUNDS times (100) at random moments, over the programs in the
# folder BIN (build/bin). Takes some minutes; prints the seed, which does the same again.
set -euo pipefail
bin=$(cd "${1:?kill_rounds.sh: give the folder with the programs, such as build/bin}" && pwd)
cd "$(dirname "$0")"
export DUGNAD_BIN=$bin DUGNAD_KILL_ROUNDS=${2:-100} PYTHONDONTWRITEBYTECODE=1
[ -z "${3:-}" ] || export DUGNAD_KILL_SEED=$3
pytest=$(command -v pytest-3 || command -v pytest)
exec "$pytest" -q -x -p no:cacheprovider test_kill.py -k delivered_once
