#!/usr/bin/env bash
# format.sh - C is formatted by clang-format with .clang-format of the root.
set -eu
. "$(dirname "$0")/files.bash"
need clang-format
mapfile -t sources < <(files '*.c' '*.h' | grep -v '/vendor/')
[ "${#sources[@]}" -gt 0 ] || { echo "no C files here"; exit 1; }
said=$(mktemp)
trap 'rm -f "$said"' EXIT
printf '%s\n' "${sources[@]}" | xargs -P 2 -n 40 clang-format --dry-run -Werror 2>"$said" && exit 0
grep -E ': error:' "$said" | cut -d: -f1 | sort | uniq -c |
  awk '{ print $2 ": " $1 " places, run: clang-format -i " $2; bad = 1 } END { exit !bad }' || cat "$said"
exit 1
