"""Several servers on one PostgreSQL behind HAProxy: servers killed with -9 and started again, PostgreSQL restarted, work all along.

    servers.sh --seconds 60 --seed 7 [--servers 3] [--clients 2]
    servers.sh --seconds 150 --seed 7 --hosts 10000      # with an object store, which is cut off for a minute

The last line is `lost=0 wrong_accepted=0 counted_twice=0 seed=7`; the exit status is 1 if that is not so. What must hold is
in check.py, who works is in work.py."""

import argparse
import random
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "it"))
import crowd  # noqa: E402
from check import check  # noqa: E402
from fleet import Fleet  # noqa: E402
from grid import set_conf  # noqa: E402
from s3 import S3  # noqa: E402
from work import Liar, Reader, Reporter, Submitter, Work, publish  # noqa: E402

CONF = dict(disk_free_min="1M", disk_free_batch="1M", load_max=0, queue=512)
DOWN_S = (0.3, 4.0)   # a killed server stays away so long
PAUSE_S = (0.5, 3.0)  # between troubles
DATABASE_SHARE = 0.15  # of the troubles


class Trouble:
    """At least one server is left, as an operator would have it."""

    def __init__(self, fleet, seed, say):
        self.fleet, self.rng, self.say = fleet, random.Random(seed), say
        self.down, self.began, self.next, self.counts = {}, {}, 0.0, dict(kills=0, stops=0, database=0, database_kills=0)

    def tend(self, at_s, calm=False):
        for i, back_s in list(self.down.items()):
            if at_s >= back_s or calm:
                self.fleet.start_server(i)
                self.began[i] = at_s
                del self.down[i]
        if calm or at_s < self.next:
            return
        self.next = at_s + self.rng.uniform(*PAUSE_S)
        if self.rng.random() < DATABASE_SHARE:
            hard = self.rng.random() < 0.5
            self.say("PostgreSQL is killed and starts" if hard else "PostgreSQL restarts")
            self.counts["database_kills" if hard else "database"] += 1
            self.fleet.postgres.restart("kill" if hard else "stop")
            return
        up = [i for i in range(len(self.fleet.servers)) if i not in self.down]
        if len(up) < 2:
            return
        i, gently = self.rng.choice(up), self.rng.random() < 0.2
        gently = gently and at_s - self.began.get(i, -9) > 2  # it has begun to heed signals
        self.say(f"server {i} {'stops' if gently else 'is killed'}")
        if gently:
            status = self.fleet.servers[i].end(seconds=60)
            assert status == 0, f"server {i} ended with {status}: {self.fleet.servers[i].text()[-1000:]}"
        else:
            self.fleet.kill(i)
        self.counts["stops" if gently else "kills"] += 1
        self.down[i] = at_s + self.rng.uniform(*DOWN_S)

    def look(self):
        """Nothing ends by itself."""
        for i, server in enumerate(self.fleet.servers):
            assert i in self.down or server.alive(), f"server {i} has ended by itself: {server.text()[-3000:]}"


def make_trouble(trouble, busy, seconds, look):
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        trouble.tend(time.monotonic() - began)
        look()
        for thread in busy:
            thread.raise_problem()
        time.sleep(0.02)


def come_to_rest(fleet, work, trouble, busy, patience, look, say):
    """All servers are back, and what was begun is done; who only adds work ends before, who has to see it done afterwards."""
    trouble.tend(0, calm=True)
    say("calm")
    for thread in busy:
        if thread.ends_with_trouble:
            thread.stop()
    for i in range(len(fleet.servers)):
        fleet.wait_server(i)
    work.wait_done(patience, look)
    for thread in busy:
        if not thread.ends_with_trouble:
            thread.stop()
    say("all done")


def run(folder, args, say):
    fleet = Fleet(folder, servers=args.servers, **CONF)
    with fleet:
        publish(fleet)
        work = Work(fleet, SimpleNamespace(port=fleet.front_port), args.seed)
        clients = [fleet.client(f"honest{i}") for i in range(args.clients)]
        for client in clients:
            client.start()
        busy = [Submitter(work), Reader(work), *(Reporter(work, f"twice{i}", late_s=0) for i in range(args.reporters)),
                Reporter(work, "late", late_s=2 if args.brief else 9), Reporter(work, "lies", late_s=0, lies=True)]
        if args.clients:
            Liar(fleet)
        if args.brief:
            busy[0].left_out = ("adaptive", "audit")  # new hosts may check others only after a minute
        for thread in busy:
            thread.start()
        trouble = Trouble(fleet, args.seed, say)
        make_trouble(trouble, busy, args.seconds, trouble.look)
        come_to_rest(fleet, work, trouble, busy, args.patience, trouble.look, say)
        records = work.records(fleet)
        counts = {**trouble.counts, **work.counts(), **conflicts(fleet)}
    return records, counts


def run_crowd(folder, args, say):
    """As above with a crowd in place of clients. Its hosts answer every unit in one way, so all units are of apps that want that."""
    fleet = Fleet(folder, servers=args.servers, **CONF)
    s3, many = S3(folder).start(), None
    for i in range(args.servers):
        data = fleet.folder / (f"server{i}" if i else "server")
        set_conf(data / "server.conf", **s3.conf(data))
    try:
        with fleet:
            crowd.publish(fleet)
            work = Work(fleet, SimpleNamespace(port=fleet.front_port), args.seed)
            many = crowd.Crowd(fleet, args.hosts, args.seconds + args.patience)
            crowd.came_apart(fleet)
            say(f"{args.hosts} hosts have joined")
            submitter, keeper = Submitter(work), crowd.Keeper(work)
            submitter.choice, submitter.open_max = crowd.KINDS, max(1000, args.hosts // 2)
            busy = [submitter, Reader(work), keeper, *(Reporter(work, f"twice{i}", late_s=0) for i in range(args.reporters)),
                    Reporter(work, "lies", late_s=0, lies=True)]
            for thread in busy:
                thread.start()
            many.start()
            cut = crowd.Cut(s3, args.seconds / 4, min(60, args.seconds / 2))
            trouble = Trouble(fleet, args.seed, say)

            def look():
                trouble.look()
                many.look()
            try:
                make_trouble(trouble, busy, args.seconds, look)
            finally:
                cut.end()
            come_to_rest(fleet, work, trouble, busy, args.patience, look, say)
            records = work.records(fleet)
            worked = sum(1 for valid, _ in records.hosts.values() if valid)
            counts = dict(hosts=len(records.hosts), hosts_valid=worked, **trouble.counts, cut_offs=cut.count, files=len(keeper.names), **work.counts(), **conflicts(fleet))
            return records, counts, keeper.lost()
    finally:
        if many:
            many.end()
        s3.kill()


def conflicts(fleet):
    """Of all servers since their last start: turns that had to be taken again, of how many."""
    turns = again = 0
    for i in range(len(fleet.servers)):
        lines = fleet.at(i).ask("GET", "/metrics").body.decode().splitlines()
        found = dict(line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        turns += float(found.get("dugnad_engine_turns_total", 0))
        again += float(found.get("dugnad_engine_conflicts_total", 0))
    return dict(turns=int(turns), conflicts=int(again))


def arguments(words=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="how long there is trouble (60)")
    parser.add_argument("--seed", type=int, default=None, help="the same troubles again; otherwise one is drawn and printed")
    parser.add_argument("--servers", type=int, default=3)
    parser.add_argument("--clients", type=int, default=2, help="real, honest clients (2); with any of them there is one that lies")
    parser.add_argument("--hosts", type=int, default=0, help="so many hosts of a crowd, instead of real clients; files are in an object store, which is cut off (0)")
    parser.add_argument("--reporters", type=int, default=3, help="hosts that tell each report twice, besides a late one and a liar (3)")
    parser.add_argument("--patience", type=int, default=180, help="seconds until all must be done after the last trouble (180)")
    parser.add_argument("--brief", action="store_true", help="nothing that is waited for long")
    parser.add_argument("--keep", action="store_true", help="keep the folder, to look at logs")
    parser.add_argument("--verbose", action="store_true", help="tell each trouble as it comes")
    args = parser.parse_args(words)
    if args.seed is None:
        args.seed = random.SystemRandom().randrange(10**6)
    return args


def main():
    args, began = arguments(), time.monotonic()
    who = f"{args.hosts} hosts" if args.hosts else f"{args.clients} clients"
    print(f"servers: {args.servers} for {args.seconds} s, seed {args.seed}, {who}", flush=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    folder = tempfile.mkdtemp(prefix="dugnad-servers-")

    def say(what):
        if args.verbose:
            print(f"{time.monotonic() - began:7.2f} {what}", flush=True)
    try:
        if args.hosts:
            records, counts, lost = run_crowd(Path(folder), args, say)
        else:
            (records, counts), lost = run(Path(folder), args, say), []
        found = check(records)
        found.lost += lost
        print(" ".join(f"{k}={v}" for k, v in counts.items()))
        for sentence in found.sentences()[:40]:
            print(sentence)
        print(found.line(args.seed), flush=True)
    finally:
        if args.keep:
            print(f"kept: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if found.clean() else 1


if __name__ == "__main__":
    sys.exit(main())
