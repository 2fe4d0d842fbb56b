#!/usr/bin/env bash
# vendor.sh [FOLDER]: fetches the console's three libraries with npm at pinned versions, checks their digests, and puts the
# files that are served into FOLDER (default: web/vendor beside this script, which git ignores). Nothing is built.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
to=${1:-$here/vendor}

# package, version, sha512 of its tarball (base64, as npm prints it), file inside, name when served
pins="htm 3.1.1 983Vyg8NwUE7JkZ6NmOqpCZ+sh1bKv2iYTlUkzlWmA5JD2acKoxd4KVxbMmxX/85mtfdnDmTFoNKcg5DGAvxNQ== preact/standalone.module.js preact-htm.js
uplot 1.6.32 KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw== dist/uPlot.iife.min.js uplot.js
uplot 1.6.32 KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw== dist/uPlot.min.css uplot.css"

if [ -s "$to/preact-htm.js" ] && [ -s "$to/uplot.js" ] && [ -s "$to/uplot.css" ]; then
  exit 0
fi
command -v npm >/dev/null || { echo "vendor.sh: npm is missing: apt-get install npm" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$to"
while read -r package version digest inside served; do
  tarball=$work/$package-$version.tgz
  [ -s "$tarball" ] || (cd "$work" && npm pack --silent "$package@$version" >/dev/null)
  found=$(openssl dgst -sha512 -binary "$tarball" | base64 -w0)
  [ "$found" = "$digest" ] || { echo "vendor.sh: $package $version has another digest than the pinned one: refused" >&2; exit 1; }
  tar -xzf "$tarball" -C "$work" "package/$inside"
  cp "$work/package/$inside" "$to/$served"
done <<<"$pins"
