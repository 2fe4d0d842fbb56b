#!/usr/bin/env bash
# run.sh --seconds N --seed S [--clients N]: the chaos run over the programs of DUGNAD_BIN (build/bin). See README.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
DUGNAD_BIN=$(cd "${DUGNAD_BIN:-$here/../../build/bin}" && pwd)
export DUGNAD_BIN PYTHONDONTWRITEBYTECODE=1
if [ "$(id -u)" -eq 0 ] && unshare --mount true 2>/dev/null; then # a small disk of its own, which nobody else sees and which goes with us
    export DUGNAD_CHAOS_MOUNTS=yes
    exec unshare --mount --propagation private python3 "$here/chaos.py" "$@"
fi
exec python3 "$here/chaos.py" "$@"
