#!/usr/bin/env bash
# sizes.sh - no file over 600 lines, no C function over 70, unless tests/lint/sizes.allow names it with a reason.
# A line of sizes.allow is "FILE reason..." or "FILE:FUNCTION reason..."; one that is not needed any more is refused too.
set -eu
. "$(dirname "$0")/files.bash"
file_max=600
function_max=70

measure() {
  files '*.c' '*.h' '*.py' '*.js' '*.sh' '*.css' '*.html' | xargs awk -v file_max=$file_max -v function_max=$function_max '
    function end_file() {
      if (lines > file_max)
        print name, lines, "lines"
    }
    FNR == 1 { end_file(); name = FILENAME; is_c = name ~ /\.[ch]$/; inside = 0; title = "" }
    { lines = FNR }
    is_c && /^[A-Za-z_].*\(/ { title = $0 } # our style: a function starts at the left edge and its braces stand there alone
    is_c && /^\{/ && title != "" { inside = FNR }
    is_c && /^\}/ && inside {
      if (FNR - inside - 1 > function_max) {
        sub(/\(.*/, "", title)
        sub(/.*[ *]/, "", title)
        print name ":" title, FNR - inside - 1, "lines"
      }
      inside = 0
      title = ""
    }
    END { end_file() }'
}

bad=0
found=$(measure)
while read -r what lines _; do
  [ -n "$what" ] || continue
  grep -qE "^$(printf '%s' "$what" | sed 's/[.[\*^$]/\\&/g') +[^ ]+ " tests/lint/sizes.allow && continue
  echo "$what has $lines lines (limits: file $file_max, function $function_max): split it by subject, or give the reason in tests/lint/sizes.allow"
  bad=1
done <<<"$found"
while read -r what reason; do
  case $what in '' | '#'*) continue ;; esac
  if ! grep -qF "$what " <<<"$found"; then
    echo "tests/lint/sizes.allow: $what is small again (or gone), take the line out"
    bad=1
  elif [ -z "$reason" ]; then
    echo "tests/lint/sizes.allow: $what has no reason"
    bad=1
  fi
done <tests/lint/sizes.allow
exit $bad
