"""A real grid on loopback, work submitted all along, and one trouble after the other from a seed; see README.md.

    run.sh --seconds 60 --seed 7 [--clients 6]

The last line is `lost=0 wrong_accepted=0 counted_twice=0 seed=7`; the exit status is 1 if that is not so."""

import argparse
import heapq
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "it"))
from check import Records, check  # noqa: E402
from faults import Trouble, schedule  # noqa: E402
from grid import BIN, Grid, eventually, unverified  # noqa: E402
from proxy import Echo, Wire  # noqa: E402
from work import APPS, Liar, Reader, Reporter, Submitter, Work, publish  # noqa: E402

CLOCK = BIN / "dugnad-clock.so"
DISK_BYTES, CLIENT_DISK_BYTES = 768 << 20, 48 << 20
SERVER = dict(disk_free_min="1M", disk_free_batch="1M", load_max=0, queue=512)


class Clock:
    """A process's own clock: that of the machine is left alone. The monotonic one goes on as it is."""

    def __init__(self, process):
        path = process.log.with_suffix(".clock")
        path.write_bytes(bytes(8))
        self.file = open(path, "r+b", buffering=0)
        self.ahead_ms = 0
        process.words = ["env", f"LD_PRELOAD={CLOCK}", f"DUGNAD_CLOCK={path}",
                         f"ASAN_OPTIONS={os.environ.get('ASAN_OPTIONS', '')}:verify_asan_link_order=0", *process.words]

    def jump(self, by_s):
        self.ahead_ms += by_s * 1000
        self.file.seek(0)
        self.file.write(self.ahead_ms.to_bytes(8, sys.byteorder, signed=True))


class Memory:
    """What the server holds for itself, read four times a second; kills begin a new life."""

    def __init__(self):
        self.samples, self.next = [], 0.0

    def look(self, at_s, process):
        if at_s < self.next or not process.alive():
            return
        self.next = at_s + 0.25
        try:
            with open(f"/proc/{process.pid}/status") as f:
                own = [int(line.split()[1]) for line in f if line.startswith("RssAnon:")]
        except OSError:
            return
        if own:
            self.samples.append((at_s, own[0]))

    def peaks_kb(self):
        """Of the second quarter and of the last one: the first is when everything is new."""
        if not self.samples:
            return 0, 0
        end = self.samples[-1][0]
        early = [kb for at, kb in self.samples if end / 4 <= at < end / 2]
        late = [kb for at, kb in self.samples if at >= end * 3 / 4]
        return max(early, default=0), max(late, default=0)

    def grows(self):
        early, late = self.peaks_kb()
        return late > early * 1.25 + 6 * 1024


def tmpfs(folder, size):
    """A small disk of its own, in this process's own mounts (run.sh), gone with them."""
    if os.geteuid() != 0 or not os.environ.get("DUGNAD_CHAOS_MOUNTS"):
        return False
    folder.mkdir(exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "none", folder]
    return subprocess.run(words, stderr=subprocess.DEVNULL).returncode == 0


def small_disk(client):
    """The same for a client's data; what was there already goes with it."""
    conf = (client.data / "client.conf").read_text()
    if tmpfs(client.data, CLIENT_DISK_BYTES):
        (client.data / "client.conf").write_text(conf)


class Chaos:
    def __init__(self, folder, args):
        self.args, self.folder, self.began = args, Path(folder), time.monotonic()
        self.left_out = {}
        self.has_disk, self.has_clock = tmpfs(self.folder / "server", DISK_BYTES), CLOCK.exists()
        if not self.has_disk:
            self.left_out.update(dict.fromkeys(("disk_full", "disk_client"), "needs root and mounts of its own"))
        self.grid = Grid(folder, **SERVER)
        if not self.has_clock:
            self.left_out.update(dict.fromkeys(("clock_server", "clock_client"), "bin/dugnad-clock.so is not built"))
        self.memory, self.deaths = Memory(), []
        self.events = schedule(args.seed, args.seconds, self.left_out)

    def run(self):
        self.clock = Clock(self.grid.server) if self.has_clock else None
        with self.grid as grid:
            publish(grid)
            self.wire = Wire(grid.port)
            self.echo = Echo(grid, unverified, self.args.seed)
            self.work = Work(grid, self.wire, self.args.seed)
            for part in (self.people, self.troubles, self.peace):
                part()
                self.say(f"{part.__name__} done")
            records = self.work.records(grid)
            self.say("records read")
        return records

    def say(self, what):
        if self.args.verbose:
            print(f"{time.monotonic() - self.began:7.2f} {what}", flush=True)

    def link(self, port):
        return f"https://127.0.0.1:{port}" + self.grid.link[len(self.grid.url):]

    def people(self):
        """Of four clients two are behind the wire, one behind the echo, one at the server itself."""
        ports = [self.wire.port, self.echo.port, self.wire.port, self.grid.port]
        self.clients = [self.grid.client(f"honest{i}", link=self.link(ports[i % 4])) for i in range(self.args.clients)]
        clocks = []
        for client in self.clients:
            if self.has_clock:
                clocks.append(Clock(client))
            if self.has_disk:
                small_disk(client)
            client.start()
        self.liar = Liar(self.grid)
        self.busy = [Submitter(self.work), Reader(self.work), Reporter(self.work, "twice", late_s=0), Reporter(self.work, "late", late_s=9),
                     Reporter(self.work, "lies", late_s=0, lies=True)]
        for busy in self.busy:
            busy.start()
        self.trouble = Trouble(self.grid, [*self.clients, self.liar.client], self.liar, self.wire, self.clock, clocks)

    def troubles(self):
        began = time.monotonic()
        ends, events, count = [], list(self.events), 0
        while events or ends or time.monotonic() - began < self.args.seconds:
            at = time.monotonic() - began
            while ends and ends[0][0] <= at:
                heapq.heappop(ends)[2]()
            while events and events[0].at_s <= at:
                event = events.pop(0)
                self.say(f"{event.name} for {event.for_s:.1f} s")
                end = self.trouble.begin(event)
                if end:
                    count += 1
                    heapq.heappush(ends, (at + event.for_s, count, end))
            self.trouble.hit_validators()
            self.tend()
            self.memory.look(at, self.grid.server)
            for busy in self.busy:
                busy.raise_problem()
            time.sleep(0.02)

    def tend(self):
        """As an init system does: what has ended by itself is started again. Ending by itself is a fault, but for one with a full
        disk."""
        for process in [self.grid.server, *self.clients]:
            if process in self.trouble.down or process.alive():
                continue
            if getattr(process, "data", self.grid.data) not in self.trouble.full:
                self.deaths.append(f"{process.log.name} ended by itself with {process.child.returncode}: {process.text()[-300:]}")
            process.start()
        self.liar.start_if_joined()

    def peace(self):
        """No trouble any more: everything must come to its end."""
        if not self.grid.server.alive():
            self.grid.server.start()
        self.grid.wait_ready(30)
        for busy in self.busy:
            if busy.ends_with_trouble:
                busy.stop()
        self.work.wait_done(self.args.patience, self.tend)
        for busy in self.busy:
            if not busy.ends_with_trouble:
                busy.stop()
        self.echo.stop()
        for client in [*self.clients, self.liar.client]:
            client.end()

    def complaints(self):
        """What sanitizers said, in a build that has them."""
        for process in [*self.clients, self.liar.client, self.grid.server]:
            for line in process.text().splitlines():
                if "runtime error:" in line or "ERROR: AddressSanitizer" in line or "ERROR: LeakSanitizer" in line:
                    yield f"{process.log.name}: {line}"

    def told(self):
        counts = {**self.trouble.counts, "sent_twice": self.echo.twice, "sent_late": self.echo.late, "validators_hit": self.trouble.hit,
                  **self.work.counts()}
        early, late = self.memory.peaks_kb()
        print("faults: " + " ".join(f"{k}={v}" for k, v in counts.items()))
        for name, why in self.left_out.items():
            print(f"left out: {name}: {why}")
        print(f"memory of the server: at most {early / 1024:.1f} MiB in the second quarter, {late / 1024:.1f} MiB in the last")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="how long there is trouble (60)")
    parser.add_argument("--seed", type=int, default=None, help="the same troubles again; otherwise one is drawn and printed")
    parser.add_argument("--clients", type=int, default=4, help="real, honest clients (4); one that lies is always there too")
    parser.add_argument("--patience", type=int, default=180, help="seconds until all must be done after the last trouble (180)")
    parser.add_argument("--keep", action="store_true", help="keep the folder, to look at logs and data")
    parser.add_argument("--verbose", action="store_true", help="tell each trouble as it comes")
    args = parser.parse_args()
    if args.seed is None:
        args.seed = random.SystemRandom().randrange(10**6)
    return args


def main():
    args = arguments()
    print(f"chaos: {args.seconds} s, seed {args.seed}, {args.clients} clients, {len(APPS)} apps", flush=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    folder = tempfile.mkdtemp(prefix="dugnad-chaos-")
    chaos, failed = Chaos(folder, args), True
    try:
        found = check(chaos.run())
        chaos.told()
        chaos.deaths += chaos.complaints()
        for sentence in [*found.sentences()[:40], *chaos.deaths[:10]]:
            print(sentence)
        grows = args.seconds >= 60 and chaos.memory.grows()
        if grows:
            print("the server's memory grows")
        failed = grows or bool(chaos.deaths) or not found.clean()
        print(found.line(args.seed), flush=True)
    finally:
        if args.keep:
            shutil.copytree(Path(folder) / "server", Path(folder) / "server-kept", symlinks=True)
        for disk in [*Path(folder).glob("honest*/"), Path(folder) / "server"] if chaos.has_disk else ():
            subprocess.run(["umount", "-l", disk], stderr=subprocess.DEVNULL)
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"kept: {folder}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
