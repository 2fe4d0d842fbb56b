#!/usr/bin/env bash
# headers.sh BUILD - every header compiles alone, and twice: it includes what it needs and guards itself. Where the headers
# of libraries are is taken from the build.
set -eu
build=$(realpath "$1")
. "$(dirname "$0")/files.bash"

[ -f "$build/compile_commands.json" ] || { echo "$build has no compile_commands.json: run cmake"; exit 1; }
libraries=$(grep -ohE -- '-isystem [^ ]+' "$build/compile_commands.json" | sort -u | tr '\n' ' ' || true)
export libraries

compile() {
  printf '#include "%s"\n#include "%s"\n' "$1" "$1" |
    ${CC:-cc} -std=c17 -D_GNU_SOURCE -DDUGNAD_VERSION='"lint"' -Wall -Wextra -Werror -fsyntax-only -I. -Iworkunits -Itests $libraries -x c - ||
    { echo "$1 does not compile alone"; return 1; }
}
export -f compile
files '*.h' | grep -v '/vendor/' | xargs -P 2 -I {} bash -c 'compile "$1"' compile {}
