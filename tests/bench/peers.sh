#!/usr/bin/env bash
# peers.sh [--bin FOLDER] [--tasks 2000] [--blocks 24] [--samples 5000000] [--rounds 3] [--only NAME,NAME]: Dugnad beside other systems, in one run, in
# turn, on this machine: the same no-op with two workers, and the pi example with the same program and samples. As root it installs what Debian has of
# them; what is not there is skipped with a word. Everything is private: a temporary folder, ports of its own, gone at the end.
# A table for people on standard error, a line of JSON for each system on standard output.
set -euo pipefail
bin=build/bin
[ "${1:-}" != --bin ] || { bin=$2; shift 2; }
case ${1:-} in -h | --help) sed -n '2,6p' "$0"; exit ;; esac
peers=(beanstalkd redis-server python3-celery python3-redis python3-ipyparallel python3-distributed python3-psycopg2 postgresql)
missing=()
for package in "${peers[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ] && [ "$(id -u)" -eq 0 ]; then # RUNLEVEL: no service of theirs is started
    { apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}"; } >/dev/null 2>&1 ||
        echo "peers.sh: not all of these could be installed: ${missing[*]}" >&2
fi
# Debian's modules are those of Debian's Python.
DUGNAD_BIN=$(realpath "$bin") exec /usr/bin/python3 "$(dirname "$0")/peers.py" "$@"
