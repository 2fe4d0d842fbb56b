"""What tests/tsan.sh runs over programs that were built with ThreadSanitizer: grids under load of every kind at once, whose servers are told to read
their certificate anew, to back up, to stop and to start again, and killed, meanwhile. What the grid does is not looked at here: ThreadSanitizer
writes its reports where TSAN_OPTIONS says, and tests/tsan.sh counts them.

    rounds.py FOLDER SECONDS SEED     one server on SQLite, then two on one PostgreSQL, half of the time each"""

import http.client
import http.server
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "it"))

from api_tour import walk  # noqa: E402
from fleet import Fleet  # noqa: E402
from grid import BIN, Api, Grid, compact, digest, eventually, unverified  # noqa: E402

AWAY = (OSError, http.client.HTTPException, subprocess.TimeoutExpired, AssertionError)
HOSTS = 300
CONF = dict(alert_wait="1s", alert_repeat="1m", alert_hosts=1, idle="5s", contact_wait="3s", owner_joins=100000, network_joins=100000)
READS = ("/v1/stats", "/v1/health", "/v1/batches", "/v1/hosts", "/v1/servers", "/v1/streams?cursors=true", "/v1/validation", "/v1/failures", "/v1/volunteers",
         "/v1/audit?limit=20", "/v1/stats/history?hours=1", "/v1/versions", "/metrics", "/readyz", "/v1/project/stats", "/v1/find?text=1", "/admin")


class Hook(http.server.BaseHTTPRequestHandler):
    """A web hook that takes its time now and then."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(random.choice((0, 0, 0.2, 1)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Bustle:
    """Everything at once, on threads, until it is told to end. A server that is away is what they are here for."""

    def __init__(self, grid, servers, ports, hook, rand):
        self.grid, self.servers, self.ports, self.hook, self.rand = grid, servers, ports, hook, rand
        self.over, self.lock, self.done, self.batches, self.children = threading.Event(), threading.Lock(), {}, [], set()
        self.hosts = grid.folder / "hosts"
        self.starting = threading.Lock()  # SIGHUP ends a program that does not wait for signals yet

    def at(self, token=True):
        return Api(SimpleNamespace(address="127.0.0.1", port=self.rand.choice(self.ports)), self.grid.token if token else None)

    def count(self, what):
        with self.lock:
            self.done[what] = self.done.get(what, 0) + 1

    def again_and_again(self, name, act, every):
        while not self.over.wait(every):
            try:
                act()
                self.count(name)
            except AWAY:
                self.count(f"{name} in vain")

    def program(self, *words, stdin=None, seconds=60):
        """Killed after so long, as whoever watches something for a while is."""
        child = subprocess.Popen([str(w) for w in words], env=self.grid.env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
        with self.lock:
            self.children.add(child)
        late = False
        try:
            child.communicate(stdin or "", seconds)
        except subprocess.TimeoutExpired:
            late = True
            child.kill()
            child.communicate()
        with self.lock:
            self.children.discard(child)
        assert late or child.returncode == 0

    def dugnad(self, *words, **more):
        self.program(BIN / "dugnad", *words, **more)

    def load(self, *words):
        self.program(BIN / "load", words[0], "--port", self.rand.choice(self.ports), *words[1:])

    # --- what goes on

    def work(self):
        self.load("work", "--hosts-file", self.hosts, "--connections", 24, "--seconds", 5, "--per-request", self.rand.choice((1, 5)))

    def herd(self):
        self.load("herd", "--hosts-file", self.hosts, "--hosts", HOSTS, "--connections", 150, "--seconds", 6, "--hold")

    def idle(self):
        self.load("idle", "--connections", 100, "--seconds", 4)

    def shake(self):
        self.load("tls", "--connections", 8, "--seconds", 3, *self.rand.choice(((), ("--resume",))))

    def submit(self):
        rules = dict(min_quorum=2, target_attempts=2, deadline_ms=self.rand.choice((3000, 600000)), max_error_attempts=2)
        body = dict(app=self.rand.choice(("say", "lines")), command=["{}"], array=dict(first=0, last=self.rand.choice((20, 3000))), rules=rules, streams=["told"],
                    policy=dict(webhook=self.hook))
        batch = self.at().post("/v1/batches", body, key=os.urandom(8).hex())["batch"]
        with self.lock:
            self.batches = [*self.batches[-5:], batch]

    def submit_by_hand(self):
        self.dugnad("submit", "say", "--array", "0..50", "--policy", "once", "--", "{}")

    def change(self):
        with self.lock:
            batch = self.rand.choice(self.batches or [1])
        self.dugnad(self.rand.choice(("cancel", "retry", "pause", "resume", "status")), batch)

    def watch(self):
        self.dugnad("watch", "last", seconds=5)

    def read(self):
        self.at().ask("GET", self.rand.choice(READS))

    def wait(self):
        with self.lock:
            batch = self.rand.choice(self.batches or [1])
        self.at().once("GET", f"/v1/batches/{batch}/results?after=0&wait_s=3")

    def file(self):
        text = os.urandom(20000)
        path = f"/v1/blobs/{digest(text)}"
        self.at().once("PATCH", path, text, {"Content-Type": "application/octet-stream", "Upload-Offset": "0", "Upload-Length": str(len(text))})
        self.at().once("GET", path)

    def events(self):
        """A page that listens for a while, and goes without a word."""
        path = self.rand.choice(("/v1/events", "/v1/streams/told/records"))
        with unverified().wrap_socket(socket.create_connection(("127.0.0.1", self.rand.choice(self.ports)), 5)) as link:
            link.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.grid.token}\r\nAccept: text/event-stream\r\n\r\n".encode())
            end = time.monotonic() + self.rand.choice((0, 0.3, 3))
            while time.monotonic() < end:
                link.recv(65536)

    def slow(self):
        """A request whose body comes in two parts."""
        body = compact(dict(reports=[], held=[], want=dict(seconds=10, cores=1, units_max=1)))
        token = self.rand.choice(self.hosts.read_text().split())
        with unverified().wrap_socket(socket.create_connection(("127.0.0.1", self.rand.choice(self.ports)), 5)) as link:
            link.sendall(f"POST /v1/work HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n{body[:9]}".encode())
            time.sleep(self.rand.choice((0.1, 0.5, 1)))
            link.sendall(body[9:].encode())
            link.recv(65536)

    def publish(self):
        self.dugnad("publish", "told", stdin="".join(f"{i}\n" for i in range(200)))

    def consume(self):
        self.dugnad("consume", "told", "--cursor", "c", "--", "true", seconds=5)

    def renew(self):
        with self.starting:
            self.rand.choice(self.servers).child.send_signal(signal.SIGHUP)

    def backup(self):
        with tempfile.TemporaryDirectory(dir=self.grid.folder) as folder:
            self.program(BIN / "dugnad-server", "--data", self.grid.data, "backup", f"{folder}/backup", seconds=120)

    # --- the main thread

    def run(self, until, trouble):
        acts = ((self.work, 0), (self.work, 0.1), (self.herd, 4), (self.idle, 3), (self.shake, 2), (self.submit, 2), (self.submit_by_hand, 4), (self.change, 1),
                (self.watch, 3), (self.read, 0.05), (self.read, 0.05), (self.wait, 0.1), (self.wait, 0.2), (self.file, 0.3), (self.events, 0.1), (self.events, 0.2),
                (self.slow, 0.05), (self.slow, 0.07), (self.publish, 1), (self.consume, 2), (self.renew, 0.5), (self.backup, 8))
        threads = [threading.Thread(target=self.again_and_again, args=(act.__name__, act, every)) for act, every in acts]
        for thread in threads:
            thread.start()
        try:
            while time.monotonic() < until:
                time.sleep(self.rand.uniform(4, 14))
                self.count(trouble())
        finally:
            self.over.set()
            with self.lock:
                children = list(self.children)
            for child in children:
                child.kill()
            for thread in threads:
                thread.join()
        print(" ".join(f"{name.replace(' ', '_')}={n}" for name, n in sorted(self.done.items())), flush=True)


def prepare(grid, bustle):
    grid.publish("dugnad-say", "say", "--stdout", "out")  # as `load work` answers
    grid.publish("dugnad-say", "lines", "--stdout", "out", "--compare", f"validator:{BIN}/apps/same-lines --comment # out")
    grid.api.ask("POST", "/v1/streams/told", "x").ok()
    made = subprocess.run([BIN / "load", "join", "--port", str(bustle.ports[0]), "--hosts", str(HOSTS), "--connections", "16", "--out", bustle.hosts], capture_output=True)
    assert made.returncode == 0, made.stderr
    for name in ("ada", "bo"):
        grid.client(name).start()


def stop_one(bustle, server, ready):
    """Amid all that; then it starts again."""
    word = bustle.rand.choice(("SIGTERM", "SIGTERM", "SIGKILL"))
    with bustle.starting:
        stop_and_start(server, ready, word)
    return word


def stop_and_start(server, ready, word):
    ended = server.end(getattr(signal, word), 120)
    assert word == "SIGKILL" or ended == 0, f"{word}: status {ended}; {server.text()[-2000:]}"
    server.start()
    ready()


def alone(folder, until, hook, rand):
    with Grid(folder, alert_webhook=hook, **CONF) as grid:
        bustle = Bustle(grid, [grid.server], [grid.port], hook, rand)
        walk(grid, lambda token: Api(grid, token))
        prepare(grid, bustle)
        bustle.run(until, lambda: stop_one(bustle, grid.server, lambda: grid.wait_ready(60)))


def together(folder, until, hook, rand):
    with Fleet(folder, servers=2, alert_webhook=hook, **CONF) as grid:
        bustle = Bustle(grid, grid.servers, grid.ports, hook, rand)
        prepare(grid, bustle)

        def trouble():
            i = rand.randrange(2)
            return stop_one(bustle, grid.servers[i], lambda: grid.wait_server(i, 60))
        bustle.run(until, trouble)


def main():
    folder, seconds, rand = Path(sys.argv[1]), float(sys.argv[2]), random.Random(int(sys.argv[3]))
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    hook = f"http://127.0.0.1:{web.server_port}/"
    for name, run in (("alone", alone), ("together", together)):
        (folder / name).mkdir()
        print(f"== {name}", flush=True)
        run(folder / name, time.monotonic() + seconds / 2, hook, rand)


if __name__ == "__main__":
    main()
