#!/bin/sh
# The program with the libraries and the loader that came along: it needs nothing of this system but its kernel.
here=$(readlink -f "$0") && here=${here%/bin/*} || exit 1
exec "$here/lib/dugnad-client" --library-path "$here/lib" "$here/lib/dugnad-client.elf" "$@"
