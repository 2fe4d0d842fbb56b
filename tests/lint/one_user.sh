#!/usr/bin/env bash
# one_user.sh - each third-party header is included by the one module that is named here, so that a library can be replaced
# or patched in one place. A header that stands nowhere here is refused: decide who may use it.
set -eu
. "$(dirname "$0")/files.bash"

# FILE HEADER..., both are shell patterns.
users='workunits/base/hash.c openssl/*
workunits/base/sign.c openssl/*
server/tls_cert.c openssl/*
workunits/base/json.c jansson.h
workunits/run/sandbox_seccomp.c seccomp.h
server/http*.[ch] microhttpd.h gnutls/*
server/db_sqlite.c sqlite3.h
server/db_pg*.[ch] libpq-fe.h
server/archive_file.c zlib.h
server/fetch.c curl/*
client/net*.[ch] curl/*
client/top.c ncurses.h'

# ISO C, POSIX and Linux.
system='assert.h complex.h ctype.h errno.h fenv.h float.h inttypes.h iso646.h limits.h locale.h math.h setjmp.h signal.h
stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h stdnoreturn.h string.h strings.h tgmath.h
threads.h time.h uchar.h wchar.h wctype.h dirent.h dlfcn.h endian.h fcntl.h fnmatch.h ftw.h getopt.h glob.h grp.h ifaddrs.h langinfo.h
libgen.h link.h malloc.h mntent.h netdb.h nl_types.h poll.h pthread.h pty.h pwd.h regex.h sched.h semaphore.h spawn.h
syslog.h elf.h termios.h ucontext.h unistd.h utime.h utmp.h utmpx.h utime.h wordexp.h cpuid.h immintrin.h x86intrin.h
sys/* linux/* asm/* net/* netinet/* arpa/*'

fits() { # NAME PATTERN...
  local name=$1 pattern
  shift
  for pattern in "$@"; do
    # shellcheck disable=SC2254
    case $name in $pattern) return 0 ;; esac
  done
  return 1
}

may_use() { # FILE HEADER
  local user headers
  while read -r user headers; do
    # shellcheck disable=SC2086
    if fits "$1" "$user" && fits "$2" $headers; then return 0; fi
  done <<<"$users"
  return 1
}

set -f
bad=0
while IFS=: read -r file line; do
  [ -n "$file" ] || continue
  header=${line#*<}
  header=${header%%>*}
  # shellcheck disable=SC2086
  if fits "$header" $system || may_use "$file" "$header"; then continue; fi
  echo "$file includes <$header>: only the module named in tests/lint/one_user.sh may"
  bad=1
done < <(product_files '*.c' '*.h' | xargs grep -HE '^[[:space:]]*#[[:space:]]*include[[:space:]]*<' /dev/null)
exit $bad
