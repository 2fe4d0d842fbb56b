#!/usr/bin/env bash
# server/SCALING.md holds the tables that tests/bench/scaling.py prints.
set -euo pipefail
cd "$(dirname "$0")/../.."
/usr/bin/python3 tests/bench/scaling.py --check server/SCALING.md
