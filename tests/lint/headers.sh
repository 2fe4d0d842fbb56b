#!/usr/bin/env bash
# headers.sh - every header compiles alone, and twice: it includes what it needs and guards itself.
set -eu
. "$(dirname "$0")/files.bash"

compile() {
  printf '#include "%s"\n#include "%s"\n' "$1" "$1" |
    ${CC:-cc} -std=c17 -D_GNU_SOURCE -DDUGNAD_VERSION='"lint"' -Wall -Wextra -Werror -fsyntax-only -I. -Iworkunits -Itests -x c - ||
    { echo "$1 does not compile alone"; return 1; }
}
export -f compile
files '*.h' | grep -v '/vendor/' | xargs -P 2 -I {} bash -c 'compile "$1"' compile {}
