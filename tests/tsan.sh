#!/usr/bin/env bash
# tsan.sh SECONDS [SEED]: builds with ThreadSanitizer (preset tsan), then runs the unit tests that use threads, integration tests of what has a thread
# (four minutes), and grids under load for so long (tests/tsan/rounds.py). Fails on any report; they are printed, and stay in build-tsan/reports. Not part of
# ctest: it takes as long as it is told.
set -euo pipefail
[[ ${1:-} =~ ^[0-9]+$ ]] || { sed -n '2,4p' "$0"; exit 2; }
seconds=$1 seed=${2:-$RANDOM}
cd "$(dirname "$0")/.."
# Where the kernel spreads addresses wider than this ThreadSanitizer knows (vm.mmap_rnd_bits over 28), its programs do not start.
[ "$(cat /proc/sys/vm/mmap_rnd_bits)" -le 28 ] || [ -n "${DUGNAD_TSAN_PLAIN:-}" ] || DUGNAD_TSAN_PLAIN=1 exec setarch -R tests/tsan.sh "$@"

cmake --preset tsan >/dev/null
cmake --build --preset tsan -j "${JOBS:-$(nproc)}" | { grep -E 'error|FAILED' || true; }
reports=$PWD/build-tsan/reports
rm -rf "$reports"
mkdir "$reports"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export TSAN_OPTIONS="log_path=$reports/tsan suppressions=$PWD/tests/tsan/suppressions second_deadlock_stack=1 history_size=4 exitcode=0 atexit_sleep_ms=0"
export DUGNAD_BIN=$PWD/build-tsan/bin PYTHONDONTWRITEBYTECODE=1

failed=0
for source in $(grep -lE 'pthread\.h|engine_thread\.h|http\.h|"lib/live\.h"|server/(judge|deliver|ticker|workers|waiters)\.h' tests/unit/test_*.c); do
    name=$(basename "$source" .c)
    echo "== $name"
    "$DUGNAD_BIN/$name" >"$folder/log" 2>&1 || { failed=1; tail -20 "$folder/log"; }
done
for name in alerts archive graph handshakes judged login replica s3 schedule server_stop streams waiting; do
    echo "== it.test_$name"
    # What a server takes in memory says nothing here.
    (cd tests/it && pytest-3 -q -p no:cacheprovider "test_$name.py" -k 'not cost_little') >"$folder/log" 2>&1 || { failed=1; tail -30 "$folder/log"; }
done
echo "== grids for $seconds s, seed $seed"
python3 tests/tsan/rounds.py "$folder" "$seconds" "$seed" || { failed=1; find "$folder" -name '*.log' -exec tail -n 5 {} +; }

count=$(cat "$reports"/* 2>/dev/null | grep -c '^WARNING: ThreadSanitizer' || true)
if [ "$count" -gt 0 ]; then
    cat "$reports"/*
    echo "$count reports of ThreadSanitizer, of these kinds:"
    cat "$reports"/* | grep '^SUMMARY' | sort | uniq -c | sort -rn
fi
[ "$count" -eq 0 ] && [ "$failed" -eq 0 ] && echo "no report of ThreadSanitizer, seed $seed"
