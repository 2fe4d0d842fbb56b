#!/usr/bin/env bash
# rounds.sh BUILD/bin COMMIT [SECONDS]: the long form of test_upgrade.py. Builds the programs of an older commit beside this tree and lets
# server and clients change between both versions amid work, and back, for so long (600); and three servers on one PostgreSQL are
# replaced one after the other. Ends with the number of rounds, or fails.
set -euo pipefail
bin=$(realpath "$1") commit=$2 seconds=${3:-600}
here=$(dirname "$(realpath "$0")") top=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
old=$(mktemp -d)
trap 'git -C "$top" worktree remove --force "$old/tree" 2>/dev/null || true; rm -rf "$old"' EXIT
git -C "$top" worktree add --quiet --detach "$old/tree" "$commit"
(cd "$old/tree" && cmake --preset ci-release >/dev/null && cmake --build --preset ci-release --target dugnad-server dugnad-client >/dev/null)
OLD_BIN=$old/tree/build-ci/release/bin UPGRADE_SECONDS=$seconds DUGNAD_BIN=$bin PYTHONDONTWRITEBYTECODE=1 \
  /usr/bin/python3 -m pytest -q -x -s -p no:cacheprovider "$here/../test_upgrade.py" -k "real_work or one_after_the_other"
