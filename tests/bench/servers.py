"""One server on SQLite, and several on one PostgreSQL, measured in turn; servers.sh says how."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "it")]
from fleet import Fleet  # noqa: E402
from grid import BIN, Grid, eventually  # noqa: E402
from postgres import Postgres, settings_of  # noqa: E402

CONF = dict(connections_per_address=100000, contact="60s", contact_idle="60s")
UNITS = 400000  # made at once
HOSTS = 198     # all known to all servers: from 200 on those that joined in one burst may not check each other (rules/kin.h), and units wait for hosts that may: --hosts 400
WAL = "SELECT wal_records, wal_fpi, wal_bytes FROM pg_stat_wal"
COMMITS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
CHANGES = """SELECT relname, sum(n_tup_ins), sum(n_tup_upd), sum(n_tup_hot_upd), sum(pg_relation_size(relid)) / 1048576, sum(pg_indexes_size(relid)) / 1048576
             FROM pg_stat_user_tables WHERE n_tup_upd > 1000 GROUP BY 1 ORDER BY 3 DESC"""
STATEMENTS = """SELECT calls, round(total_exec_time::numeric), round(total_plan_time::numeric), rows, wal_bytes, shared_blks_hit, left(query, 150) FROM pg_stat_statements
                ORDER BY total_exec_time DESC LIMIT 24"""


class Cluster:
    """A private PostgreSQL: what it was asked and what it took."""

    def __init__(self, settings):
        self.postgres = Postgres("durable", *settings)
        self.url = self.postgres.new()
        self.folder = settings_of(self.url)["host"]
        self.pid = int((Path(self.folder) / "data" / "postmaster.pid").read_text().split()[0])

    def ask(self, sql):
        done = subprocess.run(["psql", "-XAt", "-h", self.folder, "-U", "dugnad", "-d", "postgres", "-c", sql], text=True, check=True, stdout=subprocess.PIPE)
        return [line.split("|") for line in done.stdout.splitlines()]

    def cpu_us(self):
        """Of all its processes, those that have ended too."""
        ended = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        us = (int(ended[13]) + int(ended[14])) * 1000000 // os.sysconf("SC_CLK_TCK")
        for pid in [self.pid, *map(int, Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split())]:
            try:
                us += int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) // 1000
            except OSError:
                pass  # it has just ended
        return us

    def counters(self):
        records, pages, nbytes = map(int, self.ask(WAL)[0])
        return dict(wal_records=records, wal_pages=pages, wal_bytes=nbytes, commits=int(self.ask(COMMITS)[0][0]), cpu_us=self.cpu_us())


class Several(Fleet):
    """Without the balancer: each generator has a server."""

    def __init__(self, folder, cluster, servers):
        super().__init__(folder, servers=servers, database=cluster.url, **CONF)
        self.link = self.link.replace(str(self.front_port), str(self.ports[0]))
        self.port = self.ports[0]

    def start(self):
        return self.let_run(1)

    def let_run(self, count):
        for i, server in enumerate(self.servers):
            if i >= count and server.alive():
                server.end()
        for i, server in enumerate(self.servers[:count]):
            if not server.alive():
                server.start()
        for i in range(count):
            self.wait_server(i)
        eventually(lambda: len(self.at(0).get("/v1/servers")["servers"]) == count, 20, what=f"{count} servers know each other")
        return self


def join(grid, folder, hosts, parts):
    """Hosts; as many files with other ones in each as there may be generators."""
    grid.publish("apps/pi", "pi", "--output", "out")
    path = folder / "hosts"
    subprocess.run([BIN / "load", "join", "--port", str(grid.port), "--hosts", str(hosts), "--out", path], check=True, stdout=subprocess.DEVNULL)
    tokens = path.read_text().splitlines()
    for n in parts:
        for i in range(n):
            (folder / f"hosts{n}{i}").write_text("".join(t + "\n" for t in tokens[i::n]))


def enough(grid, wanted):
    """Units that are left to be sent, so many at least."""
    left = sum(b.get("unsent", 0) for b in grid.api.pages("/v1/batches") if b["state"] not in ("done", "cancelled"))
    if left < wanted:
        body = dict(app="pi", command=["--block", "{}"], rules=dict(min_quorum=2, target_attempts=2, deadline_ms=600000), array=dict(first=0, last=max(UNITS, wanted) - 1))
        batch = grid.api.post("/v1/batches", body, key=os.urandom(8).hex())["batch"]
        eventually(lambda: grid.status(batch)["units"] == body["array"]["last"] + 1, 120, 0.2, "the units are there")


def generate(options, folder, pids, ports, per_request):
    """A generator for each server; what they said."""
    n = len(ports)
    runs = [subprocess.Popen([BIN / "load", "work", "--port", str(port), "--server", str(pid), "--hosts-file", folder / f"hosts{n}{i}",
                              "--connections", str(options.connections // n), "--per-request", str(per_request),
                              "--seconds", str(options.seconds)],
                             text=True, stdout=subprocess.PIPE) for i, (port, pid) in enumerate(zip(ports, pids))]
    said = [json.loads(r.communicate(timeout=300)[0]) for r in runs]
    assert all(s["failures"] == 0 for s in said), said
    return said


def together(said, **more):
    replies = sum(s["replies"] for s in said)
    counted = sum(s["counted_replies"] for s in said)
    seconds, acked = max(s["seconds"] for s in said), sum(s["acked"] for s in said)
    pairs = acked / (replies - sum(s["connections"] for s in said))  # of a reply that answers a report: each connection's first one does not

    def each(what):
        return round(sum(what(s) * s["counted_replies"] for s in said) / counted / pairs, 2)
    return dict(**more, replies=replies, acked=acked, seconds=seconds, per_second=round(replies / seconds, 1), pairs_per_second=round(acked / seconds, 1),
                pairs_per_reply=round(pairs, 1), p99_ms=max(s["p99_ms"] for s in said), server_us=each(lambda s: s["server_us_each"]),
                engine_us=each(lambda s: s["threads"].get("engine", 0)), generator_us=each(lambda s: s["generator_us_each"]))


def tell(run):
    name = f"{run['store']}, {run['servers']} server{'s' if run['servers'] > 1 else ''}, {run['figure']} {run['per_request']}"
    print(f"{name:<38} {run['per_second']:9,.0f} requests/s {run['pairs_per_second']:9,.0f} pairs/s  p99 {run['p99_ms']:6.1f} ms  us of CPU a pair: server {run['server_us']:5.1f} "
          f"(engine {run['engine_us']:.1f}), PostgreSQL {run['postgres_us']:5.1f}, generator {run['generator_us']:4.1f}"
          + (f"; {run['pairs_per_commit']:.1f} pairs a commit, {run['wal_bytes_pair']:,.0f} bytes of log each" if run["wal_bytes_pair"] else ""), file=sys.stderr)
    print(json.dumps(run), flush=True)


def measure(options, grid, folder, cluster, servers, per_request):
    n = servers or 1
    pids = [s.pid for s in grid.servers[:n]] if servers else [grid.server.pid]
    ports = grid.ports[:n] if servers else [grid.port]
    enough(grid, int(options.seconds * (12000 + 2500 * per_request)))
    before = cluster.counters()
    said = generate(options, folder, pids, ports, per_request)
    after = cluster.counters()
    run = together(said, figure="hot", store="PostgreSQL" if servers else "SQLite", servers=n, per_request=per_request)
    of = {k: after[k] - before[k] for k in after} if servers else dict.fromkeys(after, 0)
    pairs = run["acked"]
    run.update(postgres_us=round(of["cpu_us"] / pairs, 2), wal_bytes_pair=round(of["wal_bytes"] / pairs), wal_pages_pair=round(of["wal_pages"] / pairs, 3),
               wal_records_pair=round(of["wal_records"] / pairs, 1), pairs_per_commit=round(pairs / of["commits"], 1) if of["commits"] else 0)
    run["all_us"] = round(run["server_us"] + run["postgres_us"] + run["generator_us"], 2)
    tell(run)
    return run


def middle(runs, key):
    return statistics.median(r[key] for r in runs)


def summary(options, runs):
    """Medians of the rounds, what one PostgreSQL is to SQLite, and what it would carry."""
    result = {"figure": "servers", "rounds": options.rounds}
    say = lambda text: print(text, file=sys.stderr)  # noqa: E731
    say("medians; a share by CPU counts server, PostgreSQL and generator, and hardly depends on what else the machine does; one by rate does")
    for k in dict.fromkeys(k for _, k in runs):
        base = runs[0, k]
        for n in [0, *options.servers]:
            mine = runs[n, k]
            entry = {key: middle(mine, key) for key in ("per_second", "pairs_per_second", "server_us", "engine_us", "postgres_us", "generator_us", "all_us", "wal_bytes_pair", "pairs_per_commit")}
            text = f"{'SQLite' if n == 0 else f'{n} on PostgreSQL'} x{k}: {entry['per_second']:,.0f} requests/s, {entry['pairs_per_second']:,.0f} pairs/s; a pair takes of server {entry['server_us']:.1f} us, PostgreSQL {entry['postgres_us']:.1f} us, generator {entry['generator_us']:.1f} us"
            if n:
                entry["of_sqlite_by_rate"] = round(entry["pairs_per_second"] / middle(base, "pairs_per_second"), 3)
                entry["of_sqlite_by_cpu"] = round(middle(base, "all_us") / entry["all_us"], 3)
                text += f"; of SQLite: {entry['of_sqlite_by_rate']:.2f} by rate, {entry['of_sqlite_by_cpu']:.2f} by CPU"
            say(text)
            result[f"{'sqlite' if n == 0 else f'postgres_{n}'}_{k}"] = entry
            if n:
                carried, each = 1e6 / entry["postgres_us"], 1e6 / entry["engine_us"]
                entry.update(pairs_per_postgres_core=round(carried), pairs_per_engine_thread=round(each))
                say(f"    a core of PostgreSQL carries {carried:,.0f} pairs/s, an engine's thread {each:,.0f}: 16 half-busy cores of PostgreSQL are as much as "
                    f"{16 * carried * 0.5 / (each * 0.5):.1f} servers whose engine's thread is half busy")
    say(f"{os.cpu_count()} cores are shared by all of it, the generators too: more servers cannot give more here. What shows whether they would elsewhere is whether "
        "the CPU of a pair grows with the servers; commits that wait for one disk and rows that two servers want are in the rates, and in p99.")
    print(json.dumps(result), flush=True)


def run(options):
    with tempfile.TemporaryDirectory() as top:
        most = max(options.servers)
        folders = [Path(top) / x for x in ("sqlite", "postgres")]
        for f in folders:
            f.mkdir()
        os.environ.pop("DUGNAD_IT_DATABASE", None)
        settings = [x for x in options.settings.split(",") if x]
        if options.statements:
            settings += ["shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track_planning=on"]
        cluster = Cluster(settings)
        try:
            with Grid(folders[0] / "grid", **CONF) as lone, Several(folders[1] / "grid", cluster, most) as several:
                join(lone, folders[0], options.hosts, [1])
                join(several, folders[1], options.hosts, range(1, most + 1))
                if options.statements:
                    cluster.ask("CREATE EXTENSION pg_stat_statements SCHEMA public")
                runs = defaultdict(list)
                for round_ in range(options.rounds + 1):  # the first one warms up
                    print(f"round {round_}" if round_ else "warming up", file=sys.stderr)
                    for k in options.per_request:
                        for n in [0, *options.servers]:
                            grid = several.let_run(n) if n else lone
                            found = measure(options, grid, folders[n > 0], cluster, n, k)
                            if round_:
                                runs[n, k].append(found)
                    if not round_ and options.statements:
                        cluster.ask("SELECT public.pg_stat_statements_reset()")
                summary(options, runs)
                if options.statements:
                    print("calls, ms executing, ms planning, rows, bytes of log, blocks looked at, statement", file=sys.stderr)
                    for row in cluster.ask("SET search_path=public; " + STATEMENTS.replace("pg_stat_statements", "public.pg_stat_statements")):
                        print("  ".join(row), file=sys.stderr)
                    print("table, rows added, changed, of these without its indexes (HOT), MiB, MiB of indexes", file=sys.stderr)
                    for row in cluster.ask(CHANGES):
                        print("  ".join(row), file=sys.stderr)
        finally:
            cluster.postgres.end()


def main():
    def numbers(text):
        return [int(x) for x in text.split(",")]
    parse = argparse.ArgumentParser()
    parse.add_argument("--seconds", type=float, default=4)
    parse.add_argument("--rounds", type=int, default=3)
    parse.add_argument("--servers", type=numbers, default=[1, 2, 3])
    parse.add_argument("--per-request", type=numbers, default=[1, 50])
    parse.add_argument("--connections", type=int, default=192)
    parse.add_argument("--hosts", type=int, default=HOSTS)
    parse.add_argument("--settings", default="shared_buffers=1GB,max_wal_size=8GB")
    parse.add_argument("--statements", action="store_true")
    options = parse.parse_args()
    if options.connections > options.hosts:
        parse.error(f"there are {options.hosts} hosts, and each has one connection")
    run(options)


if __name__ == "__main__":
    main()
