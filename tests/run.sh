#!/usr/bin/env bash
# run.sh: installs what is needed, builds twice and runs every test. Works on a bare Debian 12, as root or through sudo.
#   Debug with AddressSanitizer and UBSan   unit tests, corpora of the fuzzers, simulator, lints
#   release                                 the programs themselves, over TLS (tests/it), and what measures time
# run.sh -R REGEX and other words go to ctest. Exit status 0 when all passed; the last lines are ctest's summary.
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)}

packaging/packages.sh build test

build() { # PRESET: quiet unless it fails
    local log
    log=$(mktemp)
    echo "== building: $1"
    if ! { cmake --preset "$1" && cmake --build --preset "$1" -j "$jobs"; } >"$log" 2>&1; then
        grep -E 'error|FAILED|undefined reference|CMake Error' "$log" | head -40 >&2 || true
        tail -20 "$log" >&2
        rm -f "$log"
        exit 1
    fi
    rm -f "$log"
}

build ci-sanitized
build ci-release
# One list of tests over both builds, so that there is one summary at the end.
echo 'subdirs(sanitized release)' >build-ci/CTestTestfile.cmake

export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export CTEST_OUTPUT_ON_FAILURE=1
exec ctest --test-dir build-ci -j "$jobs" --no-tests=error "$@"
