# files.bash - sourced by the lints: goes to the source root, and says which files there are.
# shellcheck shell=bash
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

# Prints the project's files that match the given patterns (of git: '*' crosses folders), also where it came without git.
files() {
  local file pattern
  if git ls-files -- "$@" 2>/dev/null | grep -q .; then
    git ls-files -- "$@" | while IFS= read -r file; do [ -f "$file" ] && echo "$file"; done
    return 0
  fi
  for pattern in "$@"; do
    find . -path './build*' -prune -o -path './out' -prune -o -path './.git' -prune -o -type f -path "./$pattern" -print
  done | sed 's,^\./,,' | sort -u
}

# The same without tests/: what is installed on somebody's machine, or builds it.
product_files() {
  files "$@" | grep -v '^tests/' || true
}

# need PROGRAM: ends the lint with a sentence if it is not installed. A lint that is skipped holds nothing.
need() {
  command -v "$1" >/dev/null && return 0
  echo "$1 is not installed: packaging/packages.sh test, or apt-get install $1"
  exit 1
}
