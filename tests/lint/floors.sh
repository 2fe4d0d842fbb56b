#!/usr/bin/env bash
# floors.sh - base < {rules, wire, run} < {server, client}: each folder includes only what stands beside its name here.
# Siblings never include each other, server and client never see each other, the SDK stands alone, nothing includes tests.
set -eu
. "$(dirname "$0")/files.bash"

# FOLDER: what may be included from it, folders or headers. Deeper folders first: the first name that fits a file decides.
rules='client/plan: client/plan rules base
client: client rules wire run base
server: server rules wire run base
workunits/base: base
workunits/rules: rules base/err.h base/limits.h base/ids.h base/hash.h base/str.h base/merkle.h
workunits/wire: wire base
workunits/run: run base
workunits/sdk: sdk
workunits/apps: sdk'

product_files '*.c' '*.h' | xargs grep -HE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' /dev/null |
  awk -v rules="$rules" '
    BEGIN {
      count = split(rules, lines, "\n")
      for (i = 1; i <= count; i++) {
        folder[i] = substr(lines[i], 1, index(lines[i], ":") - 1)
        allowed[i] = substr(lines[i], index(lines[i], ":") + 1)
      }
    }
    {
      file = substr($0, 1, index($0, ":") - 1)
      target = $0
      sub(/^[^"]*"/, "", target)
      sub(/".*/, "", target)
      for (i = 1; i <= count; i++)
        if (index(file, folder[i] "/") == 1)
          break
      good = 0
      names = i <= count ? split(allowed[i], list, " ") : 0
      for (n = 1; n <= names; n++)
        good = good || target == list[n] || index(target, list[n] "/") == 1
      # A folder of the SDK or of an app may hold headers of its own, found beside the file.
      beside = file
      sub(/[^\/]*$/, "", beside)
      if (file ~ /^workunits\/(sdk|apps)\// && target !~ /\// && system("test -f " beside target) == 0)
        good = 1
      if (!good) {
        printf "%s includes \"%s\": %s may include only:%s\n", file, target, i <= count ? folder[i] : "nobody there", allowed[i]
        bad = 1
      }
    }
    END { exit bad }'
