"""Thousands of hosts beside those of work.py: `load work --rotate`, whose answer to each unit is known and so is checked like any
other; and a scientist whose files are in the object store."""

import os
import subprocess
import threading

import postgres
from grid import BIN, digest
from work import BELIEF, QUORUM, Busy, Kind, patient

LOAD = BIN / "load"
CONNECTIONS = 400


def said(word):
    return {"out": f"42 {word}\n"}


KINDS = {
    "crowd-quorum": Kind("crowd", ("{}",), {**QUORUM, "deadline_ms": 10000}, said, 500, by_name=True),
    "crowd-three": Kind("crowd", ("{}",), dict(min_quorum=3, target_attempts=3, deadline_ms=10000), said, 300, by_name=True),
    "crowd-adaptive": Kind("crowd", ("{}",), dict(policy="adaptive", audit_share=0.3, deadline_ms=10000, **BELIEF), said, 300, by_name=True),
}


def publish(fleet):
    fleet.publish("dugnad-say", "crowd", "--cost", 2, "--output", "out")


def came_apart(fleet):
    """Hosts that join within minutes of each other may not check each other (rules/kin.h): these came hours apart, one by one. What servers remember is forgotten."""
    for i in range(len(fleet.servers)):
        fleet.kill(i)
    postgres.asked(fleet.database, "WITH done AS (UPDATE host SET created_ms = created_ms - id * 3600000 RETURNING 1) SELECT count(*) FROM done")
    for i in range(len(fleet.servers)):
        fleet.start_server(i)
    for i in range(len(fleet.servers)):
        fleet.wait_server(i)


class Crowd:
    def __init__(self, fleet, hosts, seconds):
        self.child, self.log = None, fleet.folder / "crowd.log"
        self.tokens, self.port = fleet.folder / "crowd.tokens", fleet.front_port
        assert LOAD.exists(), f"{LOAD} is not built: cmake --preset release"
        subprocess.run([LOAD, "join", "--port", str(self.port), "--hosts", str(hosts), "--connections", "64", "--out", self.tokens],
                       check=True, stdout=subprocess.DEVNULL, timeout=600)
        self.words = [LOAD, "work", "--rotate", "--port", str(self.port), "--hosts-file", self.tokens, "--connections",
                      str(min(CONNECTIONS, hosts)), "--per-request", "1", "--seconds", str(seconds)]

    def start(self):
        with self.log.open("wb") as log:
            self.child = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def look(self):
        assert self.child.poll() is None, f"the crowd ended: {self.log.read_text()[-2000:]}"

    def end(self):
        if self.child:
            self.child.kill()
            self.child.wait()


class Keeper(Busy):
    """Puts files, and when all is over has every one that was acknowledged again."""

    pause_s, ends_with_trouble = 0.3, True

    def __init__(self, work):
        super().__init__(work)
        self.api, self.names = work.api(), []

    def step(self):
        data = os.urandom(30_000)
        path = f"/v1/blobs/{digest(data)}"
        while (head := patient(self.api, "HEAD", path)).status != 200:
            at = int(head.headers["upload-offset"])
            patient(self.api, "PATCH", path, data[at:], {"Upload-Offset": str(at), "Upload-Length": str(len(data)), "Content-Type": "application/octet-stream"})
        self.names.append(digest(data))

    def lost(self):
        return [f"file {name} was acknowledged and does not come back" for name in self.names
                if digest(patient(self.api, "GET", f"/v1/blobs/{name}").body) != name]


class Cut:
    """The object store stands still for so long, once, in the middle."""

    def __init__(self, s3, at_s, for_s):
        self.s3, self.timers, self.count = s3, [threading.Timer(at_s, self.cut), threading.Timer(at_s + for_s, s3.go_on)], 0
        for timer in self.timers:
            timer.start()

    def cut(self):
        self.s3.hang()
        self.count += 1

    def end(self):
        for timer in self.timers:
            timer.cancel()
        self.s3.go_on()
