#!/bin/sh
# make.sh BIN DEST: writes the completions of bash, zsh and fish. `dugnad` prints its own from its table of commands; those of
# the two daemons are made of their --help, so that none is ever out of date.
set -eu
bin=$1 dest=$2
export HOME="${HOME:-/nonexistent}"
mkdir -p "$dest/bash" "$dest/zsh" "$dest/fish"

keep() { # FILE: what comes in, whole or not at all
  cat >"$1.new"
  [ -s "$1.new" ] || { echo "make.sh: nothing for $1" >&2; exit 1; }
  mv "$1.new" "$1"
}
"$bin/dugnad" completion bash | keep "$dest/bash/dugnad"
"$bin/dugnad" completion zsh | keep "$dest/zsh/_dugnad"
"$bin/dugnad" completion fish | keep "$dest/fish/dugnad.fish"

commands() { "$bin/$1" --help | grep -oE '^  [a-z][a-z-]+(, [a-z]+)?' | tr -d ' ' | tr ',' '\n' | sort -u; }
options() { "$bin/$1" --help | grep -oE -- '--[a-z][a-z-]+' | sort -u; }
one_line() { tr '\n' ' ' | sed 's/ $//'; }

for program in dugnad-server dugnad-client; do
  words=$(commands $program | one_line)
  flags=$(options $program | one_line)
  function=_$(echo $program | tr - _)
  {
    echo "# completion of $program"
    echo "$function()"
    echo "{"
    echo "  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}"
    echo "  case \$prev in"
    echo "    --data|--offline) COMPREPLY=(\$(compgen -d -- \"\$cur\")); return ;;"
    echo "    --*-file|--tls-*) COMPREPLY=(\$(compgen -f -- \"\$cur\")); return ;;"
    echo "  esac"
    echo "  case \$cur in"
    echo "    -*) COMPREPLY=(\$(compgen -W '$flags' -- \"\$cur\")) ;;"
    echo "    *) COMPREPLY=(\$(compgen -W '$words' -- \"\$cur\")) ;;"
    echo "  esac"
    echo "}"
    echo "complete -o filenames -F $function $program"
  } | keep "$dest/bash/$program"
  {
    echo "#compdef $program"
    echo "autoload -U +X bashcompinit && bashcompinit"
    cat "$dest/bash/$program"
  } | keep "$dest/zsh/_$program"
  {
    for word in $words; do echo "complete -c $program -n __fish_use_subcommand -fa $word"; done
    for flag in $flags; do echo "complete -c $program -l ${flag#--}"; done
  } | keep "$dest/fish/$program.fish"
done
