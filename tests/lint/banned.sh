#!/usr/bin/env bash
# banned.sh - functions that cannot be used safely, and words that promise what is not done.
set -eu
. "$(dirname "$0")/files.bash"

# Prints C code as FILE:LINE:CODE without comments and the insides of strings.
code() {
  awk '
    FNR == 1 { comment = 0 }
    {
      line = $0
      out = ""
      while (line != "") {
        if (comment) {
          end = index(line, "*/")
          if (!end) break
          line = substr(line, end + 2)
          comment = 0
        } else if (match(line, /^"([^"\\]|\\.)*"/) || match(line, /^\047([^\047\\]|\\.)*\047/)) {
          out = out "\"\""
          line = substr(line, RLENGTH + 1)
        } else if (substr(line, 1, 2) == "/*") {
          comment = 1
          line = substr(line, 3)
        } else if (substr(line, 1, 2) == "//") {
          break
        } else {
          out = out substr(line, 1, 1)
          line = substr(line, 2)
        }
      }
      print FILENAME ":" FNR ":" out
    }' "$@"
}

bad=0
functions='sprintf|vsprintf|strcpy|strcat|strncat|strtok|atoi|atol|atof|gets|rand|srand|system|popen|alloca|tmpnam|mktemp|gmtime|localtime|ctime|asctime'
mapfile -t sources < <(product_files '*.c' '*.h')
if [ "${#sources[@]}" -gt 0 ] && code "${sources[@]}" | grep -E ":.*(^|[^A-Za-z0-9_.>])($functions)[[:space:]]*\("; then
  echo "banned: unsafe or not for threads. Use snprintf, buf.h, str.h, rand.h, run/ and the *_r functions"
  bad=1
fi
mapfile -t texts < <(files '*.c' '*.h' '*.py' '*.sh' '*.js' | grep -vE '^tests/lint/(banned|can_fail).sh$')
if [ "${#texts[@]}" -gt 0 ] && grep -nEw 'TODO|FIXME|XXX' "${texts[@]}" /dev/null; then
  echo "banned: do it now, or write an issue"
  bad=1
fi
exit $bad
