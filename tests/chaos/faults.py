"""The troubles, and when each comes: the whole schedule is made beforehand from the seed.

A trouble is a method of Trouble. It begins when it is called, and gives back how to end it, or nothing if there is nothing to end."""

import os
import random
import signal
from dataclasses import dataclass

# name -> (weight, how long at least, at most); seconds. What is not to be had on a machine is left out, and said.
KINDS = {
    "kill_server": (5, 0.0, 0.6),
    "kill_client": (6, 0.0, 2.0),
    "kill_all": (1, 0.0, 0.3),
    "stop_server": (3, 0.3, 4.0),
    "stop_client": (4, 0.5, 6.0),
    "wire_cut": (5, 0.0, 0.0),
    "wire_slow": (3, 1.0, 4.0),
    "wire_stall": (3, 0.5, 5.0),
    "reply_lost": (5, 0.0, 0.0),
    "judge_kill": (4, 0.5, 3.0),
    "judge_stop": (2, 0.5, 3.0),
    "disk_full": (3, 0.5, 4.0),
    "disk_client": (2, 0.5, 4.0),
    "clock_server": (2, 0.0, 0.0),
    "clock_client": (2, 0.0, 0.0),
    "liar_again": (1, 0.0, 0.0),
}


@dataclass(frozen=True)
class Event:
    at_s: float
    name: str
    for_s: float
    pick: float  # 0..1: which of the clients, how far the clock goes


def schedule(seed, seconds, left_out=(), every_s=0.8):
    """Each kind once before chance decides, as far as there is time: a short run does not miss one by bad luck."""
    rng = random.Random(seed)
    names = [n for n in KINDS if n not in left_out]
    first = rng.sample(names, len(names))
    events, at = [], rng.uniform(0.2, every_s)
    while at < seconds:
        name = first.pop() if first else rng.choices(names, [KINDS[n][0] for n in names])[0]
        _, low, high = KINDS[name]
        events.append(Event(at, name, rng.uniform(low, min(high, max(low, seconds / 6))), rng.random()))
        at += rng.uniform(0.2, 2 * every_s - 0.2)
    return events


def below(pid):
    """The processes below that one, each before its own children."""
    found, look = [], [pid]
    while look:
        try:
            tasks = os.listdir(f"/proc/{look[0]}/task")
            children = []
            for task in tasks:
                with open(f"/proc/{look[0]}/task/{task}/children") as f:
                    children += [int(x) for x in f.read().split()]
        except OSError:
            children = []
        look = look[1:] + children
        found += children
    return found


def send(pid, sig):
    try:
        os.kill(pid, sig)
        return True
    except ProcessLookupError:
        return False


def is_other(pid, parent):
    """It runs a program of its own by now; before that it holds what its parent holds, and stopped it would keep the server's lock."""
    try:
        return os.readlink(f"/proc/{pid}/exe") != os.readlink(f"/proc/{parent}/exe")
    except OSError:
        return False


class Trouble:
    def __init__(self, grid, clients, liar, wire, clock, clocks):
        self.grid, self.clients, self.liar, self.wire, self.clock, self.clocks = grid, clients, liar, wire, clock, clocks
        self.down, self.full, self.hunting = set(), [], {}  # processes that are meant to be down; full folders; what to do to validators
        self.counts, self.hit, self.halted = dict.fromkeys(KINDS, 0), 0, set()

    def begin(self, event):
        end = getattr(self, event.name)(event)
        self.counts[event.name] += end is not False
        return end or None

    def kill(self, *processes):
        processes = [p for p in processes if p not in self.down and not (p is self.liar.client and self.liar.waits)]
        for process in processes:
            process.kill()
            self.down.add(process)

        def start():
            for process in processes:
                self.down.discard(process)
                if not process.alive():
                    process.start()
        return start if processes else False

    def kill_server(self, event):
        return self.kill(self.grid.server)

    def one(self, event):
        return self.clients[int(event.pick * len(self.clients))]

    def kill_client(self, event):
        return self.kill(self.one(event))

    def kill_all(self, event):
        return self.kill(self.grid.server, *self.clients)

    def stop(self, process):
        if process in self.down or not process.alive():
            return False
        child = process.child
        child.send_signal(signal.SIGSTOP)
        return lambda: child.send_signal(signal.SIGCONT)  # not to whoever has its number by then: a child that was waited for gets none

    def stop_server(self, event):
        return self.stop(self.grid.server)

    def stop_client(self, event):
        return self.stop(self.one(event))

    def wire_cut(self, event):
        self.wire.cut()

    def wire_slow(self, event):
        self.wire.rate = 4000 + int(event.pick * 60000)

        def fast():
            self.wire.rate = None
        return fast

    def wire_stall(self, event):
        self.wire.stalled = True

        def go():
            self.wire.stalled = False
        return go

    def reply_lost(self, event):
        with self.wire.lock:
            self.wire.replies_to_lose += 1 + int(event.pick * 6)

    # The judge has no switch: its validators, which run below the server, are killed or stopped wherever they show.

    def hunt(self, event, sig):
        mark = object()
        self.hunting[mark] = sig

        def leave():
            del self.hunting[mark]
            while self.halted and signal.SIGSTOP not in self.hunting.values():
                send(self.halted.pop(), signal.SIGCONT)
        return leave

    def hit_validators(self):
        for pid in below(self.grid.server.pid) if self.hunting and self.grid.server.alive() else ():
            for sig in set(self.hunting.values()):
                if sig == signal.SIGSTOP and (pid in self.halted or not is_other(pid, self.grid.server.pid)):
                    continue
                if send(pid, sig):
                    self.hit += 1
                    if sig == signal.SIGSTOP:
                        self.halted.add(pid)

    def judge_kill(self, event):
        return self.hunt(event, signal.SIGKILL)

    def judge_stop(self, event):
        return self.hunt(event, signal.SIGSTOP)

    def fill(self, event, folder):
        """Full to the last block, or with a little left, so that something fits and the next does not."""
        path = folder / f"ballast{event.at_s:.3f}"
        left = (0, 0, 40_000, 400_000, 1_500_000)[int(event.pick * 5)]
        try:
            fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
        except OSError:
            return False  # not even that
        try:
            free = os.statvfs(folder)
            os.posix_fallocate(fd, 0, max(1, free.f_bavail * free.f_frsize - left))
        except OSError:
            pass  # somebody was quicker: what is left is little enough
        finally:
            os.close(fd)
        self.full.append(folder)

        def empty():
            path.unlink()
            self.full.remove(folder)
        return empty

    def disk_full(self, event):
        return self.fill(event, self.grid.data)

    def disk_client(self, event):
        return self.fill(event, self.honest_one(event.pick).data)

    def honest_one(self, pick):
        """One of the honest clients: they have disks and clocks of their own."""
        return self.clients[int(pick * (len(self.clients) - 1))]

    def clock_client(self, event):
        """Hours, either way: nothing that a client does may hang on its clock being right."""
        self.clocks[int(event.pick * len(self.clocks))].jump(int((event.pick * 997 % 1 - 0.5) * 20000))

    def clock_server(self, event):
        """Up to an hour ahead, or some seconds back, as by an operator or a time server. Set back by more, leases that were given
        before end that much later: nothing is lost, but this run would have to wait for them."""
        self.clock.jump(int(event.pick * 5000 - 1400) if event.pick > 0.28 else -1 - int(event.pick * 50))

    def liar_again(self, event):
        """Found out and banned, it comes again as somebody else."""
        if self.liar.client in self.down:
            return False
        return None if self.liar.come_again() else False
