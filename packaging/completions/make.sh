#!/bin/sh
# make.sh DUGNAD DEST: writes the completions of bash, zsh and fish where packages put them. The program prints them from
# its own table of commands, so that they are never out of date.
set -eu
dugnad=$1 dest=$2
make() {
  mkdir -p "$(dirname "$2")"
  "$dugnad" completion "$1" >"$2.new"
  mv "$2.new" "$2"
}
make bash "$dest/share/bash-completion/completions/dugnad"
make zsh "$dest/share/zsh/vendor-completions/_dugnad"
make fish "$dest/share/fish/vendor_completions.d/dugnad.fish"
