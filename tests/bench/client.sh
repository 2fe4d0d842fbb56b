#!/usr/bin/env bash
# client.sh [--bin FOLDER] FIGURE [OPTION...]: what real clients make of real programs, on one machine. FIGURE:
#   overhead  a unit's cost beside the bare program in a loop: 0 seconds (--units 300), and --long-ms 10000 (--long-units 3). On a busy machine:
#             --usual-priority, and all of it by chrt -f 1, which takes the cores before others
#   growth    the same batch with 1, 2, 4 and 10 clients (--clients), who sleep --unit-ms 1000 for each of --units 80: machines of equal speed,
#             however few cores there are; where the rest of each client's time went. --units-each 40: work that grows with the clients
#   pi        the pi example on real cores: --clients 1,2, --units 40 of --samples 20000000
# A table for people on standard error, a line of JSON for each row on standard output.
set -euo pipefail
bin=build/bin
[ "${1:-}" != --bin ] || { bin=$2; shift 2; }
[ $# -ge 1 ] || { sed -n '2,8p' "$0"; exit 2; }
DUGNAD_BIN=$(realpath "$bin") exec python3 "$(dirname "$0")/client.py" "$@"
