#!/usr/bin/env bash
# drill.sh --data D [--stop COMMAND] [--start COMMAND] [--wait SECONDS]: the restart plan of server/README.md, run for real and
# timed part by part: look, back up, stop, check, start, first answer, backlog. Run it when nothing is wrong, so that it is no news when
# something is. Wants a stored login (dugnad login) that may read. The commands are by default systemctl's, for the packages' unit.
# Status 1 when a part does not come to its end within --wait (120).
set -euo pipefail
data='' stop='systemctl stop dugnad-server' start='systemctl start dugnad-server' wait=120
while [ $# -gt 0 ]; do
    case $1 in
    --data) data=${2:?} ;;
    --stop) stop=${2:?} ;;
    --start) start=${2:?} ;;
    --wait) wait=${2:?} ;;
    *)
        sed -n '2,5s/^# //p' "$0" >&2
        exit 2
        ;;
    esac
    shift 2
done
[ -n "$data" ] || { echo "drill.sh: --data names the project's folder" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
server=$(command -v dugnad-server || echo "$here/dugnad-server")
backup=$data.drill-$(date +%s)
began=''

now() { date +%s%N; }
part() { began=$(now); }
done_with() { # WHAT [FIGURE]
    printf '%-42s %9.2f s   %s\n' "$1" "$(awk -v ns=$(($(now) - began)) 'BEGIN { print ns / 1e9 }')" "${2:-}"
}
figure() { # NAME: of the project's numbers; nothing while the server is away
    dugnad stats --json 2>/dev/null | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1" 2>/dev/null || true
}
until_true() { # WHAT COMMAND...
    local what=$1 end=$((SECONDS + wait))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || { echo "drill.sh: $what: not within $wait s" >&2; exit 1; }
        sleep 0.05
    done
}
is_away() { [ -z "$(figure units)" ]; }
is_back() { [ -n "$(figure units)" ]; }
has_accepted_more() { [ "$(figure accepted)" -gt "$accepted" ] 2>/dev/null; }
is_drained() { [ "$(figure judging)" = 0 ] && [ "$(figure engine_waiting)" = 0 ]; }

is_back || { echo "drill.sh: the project does not answer: dugnad stats says why" >&2; exit 1; }
part
"$server" --data "$data" doctor >/dev/null || echo "drill.sh: dugnad-server doctor finds errors; the drill goes on" >&2
done_with "look (doctor)"
part
"$server" --data "$data" backup "$backup" >/dev/null
done_with "back up, while it serves" "$(du -sh "$backup" | cut -f1)"
rm -rf "$backup"
units=$(figure units) accepted=$(figure accepted) open=$(figure units_open)
part
bash -c "$stop"
until_true "the server stops" is_away
done_with "stop everything"
part
"$server" --data "$data" audit >/dev/null
done_with "check (audit log)"
part
bash -c "$start"
until_true "the server answers" is_back
done_with "start everything" "$(figure units) units, as before"
if [ "$(figure units)" -lt "$units" ] || [ "$(figure accepted)" -lt "$accepted" ]; then
    echo "drill.sh: before it were $units units and $accepted accepted, now are $(figure units) and $(figure accepted)" >&2
    exit 1
fi
if [ "$open" -gt 0 ]; then
    part
    until_true "an answer is accepted" has_accepted_more
    done_with "until an answer is accepted" "$open units were open"
fi
part
until_true "the backlog is drained" is_drained
done_with "drain the backlog"
