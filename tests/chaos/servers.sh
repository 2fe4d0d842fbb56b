#!/usr/bin/env bash
# servers.sh --seconds N --seed S [--servers N]: several servers on one database, over the programs of DUGNAD_BIN (build/bin). See README.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
DUGNAD_BIN=$(cd "${DUGNAD_BIN:-$here/../../build/bin}" && pwd)
export DUGNAD_BIN PYTHONDONTWRITEBYTECODE=1
exec python3 "$here/servers.py" "$@"
