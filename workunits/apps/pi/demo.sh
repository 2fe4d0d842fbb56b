#!/usr/bin/env bash
# demo.sh [SAMPLES [BLOCKS]]: pi from SAMPLES darts (1e8) in BLOCKS work units (100). See ../demo.sh for what it needs.
set -euo pipefail
. "$(dirname "$0")/../demo.sh"
samples=$(printf %.0f "${1:-1e8}") blocks=${2:-100}

demo_publish pi "$DUGNAD_APPS/pi" --output pi.json --checkpoint pi.state --sdk
demo_run pi --name "pi of $samples samples" --array "0..$((blocks - 1))" -- --samples $((samples / blocks)) --block {}
demo_fetch
find "$demo_folder/results" -name pi.json -exec cat {} + | python3 -c '
import json, sys
blocks = [json.loads(line) for line in sys.stdin]
assert len({b["block"] for b in blocks}) == int(sys.argv[1]), "a block is missing"
samples, hits = sum(b["samples"] for b in blocks), sum(b["hits"] for b in blocks)
print(f"pi is about {4 * hits / samples:.6f} ({samples} samples in {len(blocks)} blocks, {sys.argv[2]} s)")' \
    "$blocks" "$demo_seconds"
demo_figures pi
