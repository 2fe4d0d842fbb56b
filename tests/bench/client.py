"""Figures of clients; client.sh says what they are."""

import argparse
import datetime
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "it"))
from grid import BIN, Grid  # noqa: E402 - found by the line above

LOGGED = re.compile(r"^(\S+Z) info (started|ended|reported|leased) (?:attempt=(\S+))?", re.M)


def table(head, rows):
    cells = [[f"{x:,.2f}" if isinstance(x, float) else str(x) for x in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    for row in cells:
        print("  ".join(x.rjust(w) for x, w in zip(row, widths)), file=sys.stderr)


def result(figure, **values):
    print(json.dumps({"figure": figure, **{k: round(v, 4) if isinstance(v, float) else v for k, v in values.items()}}), flush=True)


def events(client):
    """What the client logged: (seconds, what, attempt)."""
    return [(datetime.datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp(), what, attempt)
            for at, what, attempt in LOGGED.findall(client.text())]


def run(conf, app, command, units, clients, quorum=1, limit=600):
    """A batch by fresh clients that are up before it is made; its seconds, and each client's events."""
    with tempfile.TemporaryDirectory(prefix="dugnad-bench-") as folder, Grid(folder, core_leases=2000, contact_idle="1s") as grid:
        grid.publish(*app)
        workers = [grid.client(f"c{i}", **{"idle_priority": "yes", **conf}).join() for i in range(clients)]
        first = grid.submit(app[1], array=clients, command=command, quorum=1)  # warms up: app, inputs, keys
        for w in workers:
            w.start()
        grid.wait_done(first, limit)
        time.sleep(1)
        began = time.time()
        batch = grid.submit(app[1], array=units, command=command, quorum=quorum)
        grid.wait_done(batch, limit)
        took = time.time() - began
        mine = [[x for x in events(w) if x[0] >= began and (not x[2] or x[2].startswith(f"{batch}."))] for w in workers]
        return began, took, mine


def bare(words, units):
    """The same program by a shell that does nothing else, its output to a file: seconds a unit."""
    with tempfile.TemporaryDirectory() as folder:
        loop = 'n=$1; shift; i=0; while [ $i -lt $n ]; do "$@" $i >out.txt; i=$((i + 1)); done'
        began = time.monotonic()
        subprocess.run(["sh", "-c", loop, "sh", str(units), *map(str, words)], cwd=folder, check=True, stdin=subprocess.DEVNULL)
        return (time.monotonic() - began) / units


def overhead(o):
    rows = []
    conf = dict(cores=1, work_buffer="24h", report_wait="1m", idle_priority="no" if o.usual_priority else "yes")
    for ms, units in ((0, o.units or 300), (o.long_ms, o.long_units)):
        rounds = []
        for _ in range(o.rounds if ms == 0 else 1):
            loop = bare([BIN / "dugnad-say", "--sleep", ms], units)
            _, _, (mine,) = run(conf, ("dugnad-say", "say"), ["--sleep", str(ms), "{}"], units, 1)
            starts, ends = ([x[0] for x in mine if x[1] == what] for what in ("started", "ended"))
            grid = (max(ends) - min(starts)) / (len(ends) - 1 + (ms > 0))
            rounds.append((loop, grid))
        loop, grid = (statistics.median(r[i] for r in rounds) for i in (0, 1))
        rows.append([f"{ms / 1000:g} s", units, loop * 1000, grid * 1000, (grid - loop) * 1000, f"{(grid - loop) / grid * 100:.2f} %"])
        result("overhead", program_ms=ms, bare_ms=loop * 1000, grid_ms=grid * 1000, overhead_ms=(grid - loop) * 1000, share=(grid - loop) / grid)
    table(["program", "units", "bare ms", "as a unit ms", "overhead ms", "share"], rows)


def parts(began, took, mine):
    """Mean over the clients of where the time went: before the first start, in programs, between them, after the last end."""
    lead = busy = gaps = tail = 0.0
    done = 0
    for client in mine:
        starts = {a: t for t, what, a in client if what == "started"}
        ends = [(t, a) for t, what, a in client if what == "ended" and a in starts]
        if not ends:
            tail += took
            continue
        first, last = min(starts.values()), max(t for t, _ in ends)
        ran = sum(t - starts[a] for t, a in ends)
        lead, busy, gaps, tail = lead + first - began, busy + ran, gaps + (last - first) - ran, tail + began + took - last
        done += len(ends)
    n = len(mine)
    return lead / n, busy / n, gaps / n, tail / n, done


def speedup(o, name, app, command, units, one_s):
    rows, base, fixed = [], None, units
    for clients in map(int, o.clients.split(",")):
        for quorum in (1, 2) if clients > 1 and o.quorum2 else (1,):
            conf = dict(cores=1, report_wait="0s")
            units = o.units_each * clients if o.units_each else fixed
            began, took, mine = run(conf, app, command, units, clients, quorum)
            lead, busy, gaps, tail, done = parts(began, took, mine)
            base = base or took / units
            ideal = units * quorum * one_s / clients
            faster = base * units / took
            rows.append([clients, quorum, units, took, faster, faster * quorum / clients, lead, busy, gaps, tail, done - units * quorum])
            result(name, clients=clients, quorum=quorum, units=units, seconds=took, speedup=faster, efficiency=faster * quorum / clients,
                   ideal_s=ideal, lead_s=lead, busy_s=busy, gaps_s=gaps, tail_s=tail, spares=done - units * quorum)
    table(["clients", "quorum", "units", "seconds", "speed-up", "of ideal", "till start s", "in programs s", "between s", "idle at end s", "spares"], rows)


def growth(o):
    speedup(o, "growth", ("dugnad-say", "say"), ["--sleep", str(o.unit_ms), "{}"], o.units or 80, o.unit_ms / 1000)


def pi(o):
    words = ["--samples", str(o.samples), "--block"]
    units = o.units or 40
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        for block in range(4):
            subprocess.run([BIN / "apps" / "pi", *words, str(block)], cwd=folder, check=True, stdin=subprocess.DEVNULL)
        one_s = (time.monotonic() - began) / 4
    print(f"bare: {one_s:.3f} s a unit, {one_s * units:.1f} s in a loop", file=sys.stderr)
    speedup(o, "pi", ("apps/pi", "pi", "--output", "pi.json"), [*words, "{}"], units, one_s)


def main():
    p = argparse.ArgumentParser(prog="client.sh")
    p.add_argument("figure", choices=["overhead", "growth", "pi"])
    p.add_argument("--units", type=int)
    p.add_argument("--units-each", type=int, help="as many units for each client: work that grows with the clients")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--long-ms", type=int, default=10000)
    p.add_argument("--long-units", type=int, default=3)
    p.add_argument("--unit-ms", type=int, default=1000)
    p.add_argument("--clients")
    p.add_argument("--samples", type=int, default=20000000)
    p.add_argument("--usual-priority", action="store_true", help="programs not idle in the scheduler: where others use the cores, too")
    p.add_argument("--quorum2", action="store_true", help="each number of clients with two equal answers of two owners too")
    o = p.parse_args()
    o.clients = o.clients or ("1,2" if o.figure == "pi" else "1,2,4,10")
    dict(overhead=overhead, growth=growth, pi=pi)[o.figure](o)


if __name__ == "__main__":
    main()
