#!/usr/bin/env bash
# tidy.sh BUILD - clang-tidy with .clang-tidy of the root finds nothing in the product. What passed once is not looked at
# again until the file, a header or .clang-tidy changes.
set -eu
build=$(realpath "$1")
. "$(dirname "$0")/files.bash"
need clang-tidy
[ -f "$build/compile_commands.json" ] || { echo "$build has no compile_commands.json: run cmake"; exit 1; }

root=$PWD
passed=$build/lint-tidy
export build root passed
check() { # FILE KEY; every absolute path is shortened, so that an editor at the root finds it
  local said
  if said=$(clang-tidy -p "$build" --quiet "$1" 2>&1); then
    : >"$passed/$2"
  else
    grep -E '^[^ ]*: (error|warning): ' <<<"$said" | sed "s,^$root/,," | grep . || { echo "$1: $said" | head -5; }
    return 1
  fi
}
export -f check

world=$(files '*.h' .clang-tidy | xargs cat | sha256sum | cut -d' ' -f1)
mkdir -p "$passed"
product_files '*.c' | grep -v '/vendor/' | xargs sha256sum | while read -r sum file; do
  key=$(sha256sum <<<"$world $sum $file" | cut -d' ' -f1)
  [ -f "$passed/$key" ] || echo "$file $key"
done | xargs -r -P 2 -L 1 bash -c 'check "$1" "$2"' check
find "$passed" -type f -mtime +7 -delete
