#!/usr/bin/env bash
# purity.sh BUILD - workunits/rules and client/plan are pure: what they call and do not define themselves is in this list.
# No clock, no memory, no log, no files, no network, so that the same events give the same unit everywhere.
set -eu
build=$(realpath "$1")
. "$(dirname "$0")/files.bash"

allowed='memcpy|memset|memcmp|memmove|memchr|str(n)?len|strn?cmp|strr?chr|snprintf|qsort|bsearch
__assert_fail|err_[a-z_]+|digest_[a-z_]+|merkle_[a-z_]+|hash_bytes|hash_tagged|hash_same_secret|(wu|attempt)_id_(text|parse)
str_(eq|starts|ends|is_[a-z0-9]+|utf8_len|hex|unhex|to_[a-z0-9_]+|from_[a-z0-9_]+|nearest)
rand_seed|rand_seeded_[a-z0-9]+
(exp|exp2|log|log2|log10|log1p|expm1|pow|sqrt|fabs|floor|ceil|round|trunc|fmin|fmax|fmod|ldexp|frexp|l?lround|l?lrint|rint|nearbyint)f?
_GLOBAL_OFFSET_TABLE_|__stack_chk_fail|__(mem|str|snprintf|vsnprintf)[a-z]*_chk|__(asan|ubsan|sanitizer|sanitizer_cov|tsan|gcov)_[a-z0-9_]+
__start___sancov_[a-z_0-9]+|__stop___sancov_[a-z_0-9]+|__sancov_[a-z_0-9]+|__gcov_[a-z_0-9]+|llvm_gcov_[a-z_0-9]+|__muloti4|__udivti3|__umodti3'

check() { # NAME OBJECT...
  local name=$1 defined undefined
  shift
  defined=$(nm --defined-only -g "$@" | awk 'NF == 3 { print $3 }' | sort -u)
  undefined=$(nm -u "$@" | awk '$1 == "U" { print $2 }' | sort -u)
  undefined=$(comm -13 <(echo "$defined") <(echo "$undefined") | grep -vxE "$(echo "$allowed" | paste -sd '|')" || true)
  if [ "$name" = client/plan ]; then # it stands on rules, which is checked itself
    undefined=$(comm -13 <(nm --defined-only -g "$build/libdugnad_rules.a" | awk 'NF == 3 { print $3 }' | sort -u) <(echo "$undefined"))
  fi
  undefined=$(echo "$undefined" | grep . || true)
  [ -z "$undefined" ] && return 0
  echo "$name is not pure, it calls:" $undefined
  return 1
}

bad=0
seen=0
for folder in workunits/rules client/plan; do
  [ -n "$(files "$folder/*.c")" ] || continue
  mapfile -t objects < <(find "$build/CMakeFiles" -path "*/$folder/*.o" | sort)
  if [ "${#objects[@]}" -lt "$(files "$folder/*.c" | wc -l)" ]; then
    echo "$folder is not built in $build: build first"
    bad=1
    continue
  fi
  check "$folder" "${objects[@]}" || bad=1
  seen=1
done
[ $seen = 1 ] || { echo "nothing to check in $build"; exit 1; }
exit $bad
