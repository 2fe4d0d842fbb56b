#!/usr/bin/env bash
# shell.sh - every script parses and shellcheck has no warning; packages.sh, .ci/run and git hooks too, by their first line.
set -eu
. "$(dirname "$0")/files.bash"
need shellcheck
scripts=()
while IFS= read -r file; do
  first=
  IFS= read -r first <"$file" 2>/dev/null || true
  case $file:$first in
  *.bash:* | *.sh:* | *:'#!'*bash* | *:'#!/bin/sh'*) scripts+=("$file") ;;
  esac
done < <(files '*')
[ "${#scripts[@]}" -gt 0 ] || { echo "no scripts here"; exit 1; }
shellcheck --severity=warning --external-sources --source-path=SCRIPTDIR --format=gcc "${scripts[@]}"
