#!/usr/bin/env bash
# retired.sh - what PROTOCOL.md's list of retired names holds is used nowhere: an old client that still sends the name, or
# waits for it, would give it the old meaning. A line of the list begins with "- `name`".
set -eu
. "$(dirname "$0")/files.bash"

protocol=workunits/wire/PROTOCOL.md
[ -f "$protocol" ] || { echo "$protocol is missing: it keeps the list of retired names"; exit 1; }
section=$(sed -n '/^## [0-9]*\. Retired names$/,$p' "$protocol")
[ -n "$section" ] || { echo "$protocol has no section 'Retired names' any more"; exit 1; }
[ "$(grep -c '^## ' <<<"$section")" = 1 ] || { echo "$protocol: the retired names must be its last section"; exit 1; }

bad=0
if grep '^[-*] ' <<<"$section" | grep -vE '^- `[a-zA-Z0-9_./-]+`'; then
  echo "$protocol: a line of the retired names begins with - \`name\`"
  bad=1
fi
mapfile -t names < <(sed -nE 's/^- `([^`]+)`.*/\1/p' <<<"$section")
mapfile -t sources < <(product_files '*.c' '*.h' '*.js' '*.py' 'web/openapi.json')
for name in "${names[@]}"; do
  if grep -nF -e "\"$name\"" -e "'$name'" -e "--$name\"" -- "${sources[@]}"; then
    echo "$name is retired ($protocol): take another name"
    bad=1
  fi
  if sed '/^## [0-9]*\. Retired names$/,$d' "$protocol" | grep -nF -e "\"$name\"" -e "\`$name\`"; then
    echo "$name is retired and $protocol still tells of it"
    bad=1
  fi
done
exit $bad
