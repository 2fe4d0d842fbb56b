#!/usr/bin/env bash
# tarball.sh [--bin FOLDER] [DEST]: builds dugnad-client-VERSION-PROCESSOR.tar.gz into DEST (default: build/tarball), for any Linux: the
# client with every library that it is linked with and their loader, man pages, completions, units and install.sh. Builds the release
# first; --bin takes the build folder that is there already. The same source gives the same bytes.
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."
build=build given=no
if [ "${1:-}" = --bin ]; then
    build=${2:?--bin wants a build folder} given=yes
    shift 2
fi
case ${1:-} in -*)
    sed -n '2,4s/^# //p' "$0" >&2
    exit 2
    ;;
esac
dest=${1:-build/tarball}
if [ $given = no ]; then
    packaging/packages.sh build
    cmake --preset release -DDUGNAD_TESTS=none >/dev/null
    cmake --build --preset release
fi
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
program=$build/bin/dugnad-client
version=$("$program" version | sed 's/^dugnad-client //')
name=dugnad-client-$version-$(uname -m)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/$name
mkdir -p "$root/bin" "$root/lib" "$root/man" "$root/completions" "$root/systemd" "$dest"

strip -o "$root/lib/dugnad-client.elf" "$program"
# As the loader finds them: "NAME => PATH (0x...)". The loader itself stands alone, and is what the kernel starts: so it has the name.
ldd "$program" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | while read -r library; do
    cp -L "$library" "$root/lib/$(basename "$library")"
done
loader=$(ldd "$program" | sed -n 's/^[[:space:]]*\(\/[^ ]*ld-linux[^ ]*\) .*/\1/p')
cp -L "$loader" "$root/lib/dugnad-client"
chmod 755 "$root/lib/dugnad-client" "$root/lib/dugnad-client.elf"
install -m 755 packaging/tarball/dugnad-client.sh "$root/bin/dugnad-client"
install -m 755 packaging/tarball/install.sh "$root/install.sh"
install -m 644 "$build"/packaging/man/dugnad-client.1 "$build"/packaging/man/dugnad-client.conf.5 "$root/man/"
install -m 644 "$build"/packaging/completions/bash/dugnad-client "$build"/packaging/completions/zsh/_dugnad-client \
    "$build"/packaging/completions/fish/dugnad-client.fish "$root/completions/"
install -m 644 packaging/systemd/dugnad-client*.service packaging/systemd/dugnad-client.path "$root/systemd/"
install -m 644 packaging/debian/dugnad-client.default "$root/default"
install -m 644 LICENSE "$root/LICENSE"
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -cf - "$name" | gzip -9n >"$dest/$name.tar.gz"
echo "$dest/$name.tar.gz"
