#!/bin/sh
# make.sh BIN DEST: writes the man pages. What the programs take comes from what they print themselves (--help, settings);
# the words around it stand in *.in. So a page cannot tell of an option that is not there, nor leave one out.
set -eu
here=$(dirname "$0")
bin=$1 dest=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME="${HOME:-$work}" LC_ALL=C

options() { awk -f "$here/help.awk"; }
commands() { # of dugnad: each with its own help
  "$bin/dugnad" --help | awk '/^  [a-z]/ && /   / { sub(/^  /, ""); sub(/   .*/, ""); print } /^dugnad COMMAND/ { exit }' |
    while read -r words; do
      # shellcheck disable=SC2086 # a command is one word or two
      "$bin/dugnad" $words --help </dev/null >"$work/one"
      printf '.SS dugnad '
      sed -n 's/^Usage: dugnad //p' "$work/one" | sed 's/\\/\\e/g; s/-/\\-/g'
      sed -n '1s/^[^:]*: //p' "$work/one" | sed 's/.*/&./'
      sed '1,3d; /^Options of every command:$/,$d' "$work/one" | options
    done
}
common() { "$bin/dugnad" --help | sed -n '/^dugnad COMMAND --help/,$p' | options; }

page() { # NAME PART COMMAND...: NAME.in with the command's output where it says @PART@
  name=$1
  part=$2
  shift 2
  "$@" >"$work/$part"
  [ -s "$work/$part" ] || { echo "make.sh: nothing for $name" >&2; exit 1; }
  sed -e "/^@$part@\$/{r $work/$part
d}" "$work/$name" >"$work/$name.new"
  mv "$work/$name.new" "$work/$name"
}
server_help() { "$bin/dugnad-server" --help | options; }
client_help() { "$bin/dugnad-client" --help | tail -n +2 | options; }
server_settings() { "$bin/dugnad-server" settings | awk -f "$here/conf.awk"; }
client_settings() { "$bin/dugnad-client" settings | awk -f "$here/conf.awk"; }

version=$("$bin/dugnad" version)
for page in "$here"/*.in; do
  sed "s/@VERSION@/$version/" "$page" >"$work/$(basename "$page" .in)"
done
page dugnad.1 COMMANDS commands
page dugnad.1 COMMON common
page dugnad-server.1 HELP server_help
page dugnad-client.1 HELP client_help
page dugnad-server.conf.5 SETTINGS server_settings
page dugnad-client.conf.5 SETTINGS client_settings
mkdir -p "$dest"
rm -f "$dest"/*.[15]
cp "$work"/*.[15] "$dest/"
