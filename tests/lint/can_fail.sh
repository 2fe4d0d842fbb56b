#!/usr/bin/env bash
# can_fail.sh - a lint that cannot fail holds nothing: each is run over a small tree where all is well, and must pass, and
# then once for each way to violate it, and must fail.
set -eu
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE # of a hook that runs this
lints=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cd "$tree"
bad=0

write() { # PATH, content from standard input
  mkdir -p "$(dirname "$1")"
  cat >"$1"
}

good_tree() {
  rm -rf "${tree:?}"/*
  mkdir -p tests build/CMakeFiles/r.dir/workunits/rules
  cp -r "$lints" tests/lint
  : >tests/lint/sizes.allow
  cp "$lints/../../.clang-format" "$lints/../../.clang-tidy" .
  write workunits/base/err.h <<<$'#include <stddef.h>\nsize_t err_count(void);'
  write workunits/base/json.c <<<$'#include "base/err.h"\n#include <jansson.h>'
  write workunits/rules/a.h <<<$'#include "base/err.h"'
  write workunits/rules/a.c <<<$'#include "rules/a.h"\n\n/* system(1), sprintf(): words in a comment */\nint a(const char *s)\n{\n    return s[0] == \'"\' ? 1 : (int)sizeof("popen(");\n}'
  write server/x.c <<<$'#include "base/err.h"'
  mkdir -p tests/bench
  cp "$lints/../bench/scaling.py" tests/bench
  "$lints/../bench/scaling.py" >server/SCALING.md
  write tests/run.sh <<<$'#!/bin/bash\ntrue'
  write workunits/wire/PROTOCOL.md <<<$'Says `new`.\n## 9. Retired names\n- `old` (version 1): was its age'
  build
}

build() {
  cc -c -Iworkunits -o build/CMakeFiles/r.dir/workunits/rules/a.c.o workunits/rules/a.c
  write build/compile_commands.json <<<"[{\"directory\": \"$tree\", \"file\": \"server/x.c\", \"command\": \"cc -Iworkunits -c server/x.c\"}]"
}

expect() { # pass|fail LINT WHAT
  local got=pass
  bash "tests/lint/$2.sh" build >out.txt 2>&1 || got=fail
  if [ "$got" != "$1" ]; then
    echo "$2 says $got where it must $1: $3"
    sed 's/^/    /' out.txt
    bad=1
  fi
  rm -f out.txt
}

violate() { # LINT PATH, content from standard input; added to what is there
  good_tree
  mkdir -p "$(dirname "$2")"
  cat >>"$2"
  expect fail "$1" "$2: $(tail -n 1 "$2" | head -c 60)"
}

good_tree
for lint in tests/lint/*.sh; do
  name=$(basename "$lint" .sh)
  [ "$name" = can_fail ] && continue
  expect pass "$name" "a good tree"
  grep -qE "^ *(violate|expect fail) $name " "$lints/can_fail.sh" || { echo "$name is not seen to fail here"; bad=1; }
done

violate floors workunits/base/json.c <<<'#include "rules/a.h"'
violate floors workunits/base/json.c <<<'#include "err.h"'
violate floors workunits/rules/a.c <<<'#include "base/file.h"'
violate floors workunits/rules/a.c <<<'#  include "wire/order.h"'
violate floors workunits/wire/a.c <<<'#include "run/run.h"'
violate floors workunits/run/a.c <<<'#include "wire/order.h"'
violate floors workunits/sdk/a.c <<<'#include "base/err.h"'
violate floors workunits/base/a.c <<<'#include "server/x.h"'
violate floors server/x.c <<<'#include "client/net.h"'
violate floors client/x.c <<<'#include "server/x.h"'
violate floors client/plan/x.c <<<'#include "client/net.h"'
violate floors server/x.c <<<'#include "lib/t.h"'
violate floors elsewhere/x.c <<<'#include "base/err.h"'
violate one_user server/x.c <<<'#include <jansson.h>'
violate one_user client/x.c <<<'#include <sqlite3.h>'
violate one_user workunits/base/err.h <<<'#include <openssl/evp.h>'
violate one_user server/x.c <<<'# include <brandnew.h>'
violate headers workunits/rules/b.h <<<'int b(size_t n);'
violate headers workunits/rules/b.h <<<'struct b { int n; };'
violate banned server/x.c <<<'int n = atoi("1");'
violate banned server/x.c <<<$'void f(char *s);\nvoid f(char *s) { /* " */ sprintf (s, "x"); }'
violate banned server/x.c <<<'/* TODO later */'
violate banned web/app.js <<<'// FIXME'
violate banned tests/it/test_a.py <<<'# XXX'
violate retired server/x.c <<<'const char *f(void) { return "old"; }'
violate retired server/x.c <<<'const char *f(void) { return "--old"; }'
violate retired web/app.js <<<"f('old');"
violate retired workunits/wire/PROTOCOL.md <<<'- another: not written as the others are'
violate retired workunits/wire/PROTOCOL.md <<<'## 10. More'
violate sizes server/x.c <<<$'int f(void)\n{\n'"$(yes '    f();' | head -n 71)"$'\n}'
violate sizes web/app.js <<<"$(yes 'x();' | head -n 601)"
violate sizes tests/lint/sizes.allow <<<'server/gone.c it was long once'
violate shell tests/run.sh <<<'if true; then'
violate shell tests/run.sh <<<'cd $1 && rm -r $(find . -name "*.o")'
violate shell .ci/run <<<$'#!/bin/bash\nif true; then'
violate format server/x.c <<<'int  f ( void );'
violate tidy server/x.c <<<$'int f(const char *s);\nint f(const char *s)\n{\n    if (*s);\n        return 1;\n    return 0;\n}'
violate tidy server/x.c <<<$'#include <string.h>\nint f(const char *s);\nint f(const char *s)\n{\n    return strcmp(s, "a") || strcmp(s, "b") == 1;\n}'

good_tree
write workunits/wire/PROTOCOL.md <<<$'Says `old`.\n## 9. Retired names\n- `old`'
expect fail retired "the protocol uses a retired name"
write workunits/wire/PROTOCOL.md <<<'Says `old`.'
expect fail retired "the list is gone"

good_tree
yes 'x();' | head -n 601 >web.js
echo 'web.js' >tests/lint/sizes.allow
expect fail sizes "an exception without a reason"
echo 'web.js generated by a program' >tests/lint/sizes.allow
expect pass sizes "an exception with a reason"

for call in 'time_t time(time_t *); int c(void) { return (int)time(0); }' 'void *malloc(unsigned long); void *c(void) { return malloc(1); }' \
  'int open(const char *, int, ...); int c(void) { return open("x", 0); }' 'int printf(const char *, ...); int c(void) { return printf("%d", 1); }' \
  'void log_event(int, const char *, ...); void c(void) { log_event(1, "x"); }'; do
  good_tree
  echo "$call" | sed 's/time_t/long/g' >>workunits/rules/a.c
  build
  expect fail purity "$call"
done
good_tree
rm build/CMakeFiles/r.dir/workunits/rules/a.c.o
expect fail purity "nothing was built"

good_tree
sed -i '$d' server/SCALING.md
expect fail scaling "a page without a row of what is computed"

# What passed once is remembered by tidy: a change of a header must make it look again.
good_tree
expect pass tidy "a good tree"
write workunits/base/err.h <<<$'#include <stddef.h>\nstatic inline int f(const char *s)\n{\n    if (*s);\n        return 1;\n    return 0;\n}\nsize_t err_count(void);'
expect fail tidy "a header that became wrong"

# Without its program a lint fails and names the package.
good_tree
mkdir bin
for program in bash git grep awk sed sort cut find dirname realpath cat mktemp rm xargs sha256sum; do ln -s "$(command -v $program)" bin/; done
for lint in format:clang-format tidy:clang-tidy shell:shellcheck; do
  if PATH=$tree/bin bash "tests/lint/${lint%:*}.sh" build >out.txt 2>&1 || ! grep -q "apt-get install ${lint#*:}" out.txt; then
    echo "${lint%:*} does not say that ${lint#*:} is missing:"
    sed 's/^/    /' out.txt
    bad=1
  fi
done

# From another folder, as a person does.
good_tree
(cd / && bash "$tree/tests/lint/floors.sh" && bash "$tree/tests/lint/purity.sh" "$tree/build") || { echo "lints do not find their root"; bad=1; }
[ $bad = 0 ] && echo "every lint can fail"
exit $bad
