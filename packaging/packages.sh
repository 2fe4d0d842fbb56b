#!/usr/bin/env bash
# packages.sh [-n] GROUP...: installs the Debian packages of the groups (build, test, demo, pack, fuzz; all). As root or through
# sudo. Quick, and without any privilege, when everything is there already. -n only prints what is missing.
# This is the one list: every script that needs a package asks here.
set -euo pipefail

packages_of() {
    case $1 in
    build) # what the three programs are built from
        echo gcc libc6-dev binutils cmake ninja-build pkg-config brotli \
            libmicrohttpd-dev libgnutls28-dev libcurl4-openssl-dev libssl-dev libjansson-dev \
            libsqlite3-dev zlib1g-dev libpq-dev libseccomp-dev libncurses-dev ;;
    test) # what ctest runs: cmocka, pytest, lints, a second database, a second compiler, a mail server, a browser, a proxy, a real app, an S3 server
        local npm=npm # for axe-core; node.js from elsewhere brings one of its own
        command -v npm >/dev/null && npm=
        echo libcmocka-dev python3 python3-pytest python3-jsonschema pkg-config clang clang-format clang-tidy shellcheck sqlite3 openssl curl git procps util-linux \
            postgresql python3-aiosmtpd chromium chromium-driver fonts-dejavu-core python3-selenium nginx-light haproxy bubblewrap hmmer hmmer-examples tar xz-utils strace \
            dpkg-dev systemd man-db swift-proxy swift-account swift-container swift-object \
            "$npm" ;;
    demo) # what the examples of the quickstart need besides the programs
        echo python3 curl hmmer hmmer-examples ;;
    pack) # packaging/deb.sh: the libraries' packages of a program, man pages
        echo dpkg-dev ;;
    fuzz) # libFuzzer and its sanitizers
        echo clang llvm libcmocka-dev ;;
    *) return 1 ;;
    esac
}

usage() {
    echo "usage: $0 [-n] build|test|demo|pack|fuzz|all..." >&2
    exit 2
}

only_print=no
[ "${1:-}" = -n ] && { only_print=yes; shift; }
[ $# -gt 0 ] || usage
[ "$1" = all ] && set -- build test demo pack fuzz
wanted=()
for group in "$@"; do
    names=$(packages_of "$group") || usage
    read -rd '' -a names <<<"$names" || true
    wanted+=("${names[@]}")
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "packages.sh: this is not a Debian system; install the counterparts of: ${wanted[*]}" >&2
    exit 1
fi
installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' 2>/dev/null | sed -n 's/^ii *//p')
missing=()
for name in $(printf '%s\n' "${wanted[@]}" | sort -u); do
    grep -qxF -- "$name" <<<"$installed" || missing+=("$name")
done
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
if [ $only_print = yes ]; then
    printf '%s\n' "${missing[@]}"
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "packages.sh: be root, or install sudo, or have these installed: ${missing[*]}" >&2
        exit 1
    }
    as_root=(sudo)
fi
apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get -q -o Dpkg::Use-Pty=0 \
        -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 "$@"
}
# Programs are wanted, not services: none of what comes along (PostgreSQL, nginx) begins to listen.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
    "${as_root[@]}" chmod 755 $policy
    trap '"${as_root[@]}" rm -f $policy' EXIT
fi
echo "packages.sh: installing ${missing[*]}"
apt update
apt install -y --no-install-recommends "${missing[@]}"
