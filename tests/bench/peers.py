"""Dugnad and its peers at the same small tasks; peers.sh says how. Each peer is a function that yields run(kind, count): seconds from the first
task put in until the last result is back with whoever asked."""

import argparse
import contextlib
import importlib.util
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "it")]
WORKERS = 2
PI = Path(os.environ["DUGNAD_BIN"]) / "apps" / "pi"


def task(kind, number, samples):
    """What a worker of any peer does: nothing, or the pi example's program."""
    if kind == "noop":
        return number
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([PI, "--samples", str(samples), "--block", str(number)], cwd=folder, check=True, stdin=subprocess.DEVNULL)
        return json.loads((Path(folder) / "pi.json").read_text())["hits"]


class Missing(Exception):
    pass


def need(*, programs=(), modules=()):
    for name in programs:
        if not shutil.which(name):
            raise Missing(f"{name} is not installed")
    for name in modules:
        if not importlib.util.find_spec(name):
            raise Missing(f"the Python module {name} is not installed")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")


@contextlib.contextmanager
def process(words, **more):
    child = subprocess.Popen([str(x) for x in words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextlib.contextmanager
def workers(role, *words):
    """WORKERS processes of this file in another role."""
    with contextlib.ExitStack() as all_of_them:
        for _ in range(WORKERS):
            all_of_them.enter_context(process([sys.executable, __file__, "--worker", role, *words]))
        yield


# --- beanstalkd: a log that is synced at every write


class Beanstalk:
    def __init__(self, port, watch, use):
        self.file = socket.create_connection(("127.0.0.1", port)).makefile("rwb")
        self.ask(f"watch {watch}")
        self.ask(f"use {use}")

    def send(self, line, body=None):
        self.file.write(line.encode() + b"\r\n" + (body + b"\r\n" if body is not None else b""))

    def reply(self):
        self.file.flush()
        return self.file.readline().split()

    def ask(self, line, body=None):
        self.send(line, body)
        return self.reply()

    def put(self, value):
        body = json.dumps(value).encode()
        assert self.ask(f"put 0 0 600 {len(body)}", body)[0] == b"INSERTED"

    def reserve(self):
        word, job, size = self.ask("reserve")
        body = self.file.read(int(size) + 2)[:-2]
        return job.decode(), json.loads(body)


def work_beanstalkd(port, samples):
    queue = Beanstalk(int(port), "tasks", "results")
    while True:
        job, (kind, number) = queue.reserve()
        queue.put(task(kind, number, int(samples)))
        queue.ask(f"delete {job}")


@contextlib.contextmanager
def beanstalkd(o, folder):
    need(programs=["beanstalkd"])
    port = free_port()
    with process(["beanstalkd", "-b", folder, "-f0", "-l", "127.0.0.1", "-p", port]):
        wait_port(port)
        with workers("beanstalkd", str(port), str(o.samples)):
            mine = Beanstalk(port, "results", "tasks")

            def run(kind, count):
                began = time.monotonic()
                for i in range(count):
                    mine.put([kind, i])
                for _ in range(count):
                    job, _ = mine.reserve()
                    mine.ask(f"delete {job}")
                return time.monotonic() - began
            yield run


# --- PostgreSQL: a table, FOR UPDATE SKIP LOCKED; the result of a task and the next lease in one commit


def work_postgresql(url, samples):
    import psycopg2
    db = psycopg2.connect(url)
    cursor, done = db.cursor(), None
    while True:
        if done:
            cursor.execute("UPDATE task SET state = 2, result = %s WHERE id = %s", done)
        cursor.execute("UPDATE task SET state = 1 WHERE id = (SELECT id FROM task WHERE state = 0 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) "
                       "RETURNING id, kind")
        row = cursor.fetchone()
        db.commit()
        done = (str(task(row[1], row[0], int(samples))), row[0]) if row else None
        if not row:
            time.sleep(0.01)


@contextlib.contextmanager
def postgresql(o, folder):
    need(modules=["psycopg2"])
    import psycopg2
    with subprocess.Popen(["bash", HERE.parent / "lib" / "pg_temp.sh", "durable"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            server.stdin.write("new\n")
            server.stdin.flush()
            url = server.stdout.readline().strip()
            if not url:
                raise Missing("no PostgreSQL could be started")
            db = psycopg2.connect(url)
            db.autocommit = True
            cursor = db.cursor()
            cursor.execute("CREATE TABLE task (id serial PRIMARY KEY, kind text, state int DEFAULT 0, result text)")
            cursor.execute("CREATE INDEX ON task (id) WHERE state = 0")
            with workers("postgresql", url, str(o.samples)):
                def run(kind, count):
                    began = time.monotonic()
                    cursor.execute("INSERT INTO task (kind) SELECT %s FROM generate_series(1, %s)", (kind, count))
                    while True:
                        cursor.execute("SELECT count(*) FROM task WHERE state < 2")
                        if cursor.fetchone()[0] == 0:
                            return time.monotonic() - began
                        time.sleep(0.01)
                yield run
        finally:
            server.stdin.close()


# --- Celery on Redis that syncs every write

CELERY_APP = """
import sys
sys.path.insert(0, {here!r})
from celery import Celery
from peers import task as do
app = Celery(broker={url!r}, backend={url!r})
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=4, broker_connection_retry_on_startup=True)
@app.task
def one(kind, number):
    return do(kind, number, {samples})
"""


@contextlib.contextmanager
def celery(o, folder):
    need(programs=["redis-server"], modules=["celery", "redis"])
    port = free_port()
    redis = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "yes", "--appendfsync", "always"]
    (Path(folder) / "bench_celery.py").write_text(CELERY_APP.format(here=str(HERE), url=f"redis://127.0.0.1:{port}/0", samples=o.samples))
    with process(redis):
        wait_port(port)
        with process([sys.executable, "-m", "celery", "-A", "bench_celery", "worker", "-c", WORKERS, "--without-gossip", "--without-mingle"],
                     cwd=folder, env={**os.environ, "C_FORCE_ROOT": "1"}):
            sys.path.insert(0, folder)
            import bench_celery

            def run(kind, count):
                began = time.monotonic()
                results = [bench_celery.one.delay(kind, i) for i in range(count)]
                for r in results:
                    r.get(timeout=300)
                return time.monotonic() - began
            yield run


# --- IPython Parallel, Dask distributed: everything in memory


@contextlib.contextmanager
def ipyparallel(o, folder):
    need(programs=["ipcluster"], modules=["ipyparallel"])
    os.environ["IPYTHONDIR"] = folder
    with process(["ipcluster", "start", "-n", WORKERS, "--ipython-dir", folder]):
        import ipyparallel as parallel
        end = time.monotonic() + 60
        while True:
            try:
                client = parallel.Client(ipython_dir=folder, timeout=5)
                if len(client.ids) == WORKERS:
                    break
                client.close()
            except Exception:  # noqa: BLE001 - it has many ways to say that it is not there yet
                pass
            if time.monotonic() > end:
                raise Missing("IPython Parallel did not start")
            time.sleep(0.5)
        client[:].execute(f"import os, sys; os.environ['DUGNAD_BIN'] = {os.environ['DUGNAD_BIN']!r}; sys.path.insert(0, {str(HERE)!r}); import peers",
                          block=True)
        view, samples = client.load_balanced_view(), o.samples

        def one(kind, number, count):
            import peers as them
            return them.task(kind, number, count)

        def run(kind, count):
            began = time.monotonic()
            for r in [view.apply_async(one, kind, i, samples) for i in range(count)]:
                r.get(300)
            return time.monotonic() - began
        yield run


@contextlib.contextmanager
def dask(o, folder):
    need(modules=["distributed"])
    os.chdir(folder)
    from distributed import Client, LocalCluster
    with LocalCluster(n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=None) as cluster, Client(cluster) as client:
        import peers as them

        def run(kind, count):
            began = time.monotonic()
            client.gather([client.submit(them.task, kind, i, o.samples, pure=False) for i in range(count)])
            return time.monotonic() - began
        yield run


# --- Dugnad: two workers that only speak the protocol (as the peers' workers do), and two real clients with their sandbox


def dugnad(quorum, real):
    @contextlib.contextmanager
    def peer(o, folder):
        from grid import BIN, Grid
        with Grid(folder, core_leases=2000, contact_idle="1s") as grid:
            grid.publish("dugnad-say", "say", "--stdout", "out")
            grid.publish("apps/pi", "pi", "--output", "pi.json")
            hosts = Path(folder) / "hosts"
            if real:
                for i in range(WORKERS):
                    grid.client(f"c{i}", cores=1, report_wait="1m", idle_priority="yes").start()
            else:
                subprocess.run([BIN / "load", "join", "--port", str(grid.port), "--hosts", str(WORKERS), "--out", hosts], check=True, stdout=subprocess.DEVNULL)

            def run(kind, count):
                app, command = ("say", ["{}"]) if kind == "noop" else ("pi", ["--samples", str(o.samples), "--block", "{}"])
                began = time.monotonic()
                batch = grid.submit(app, array=count, command=command, quorum=quorum)
                if not real:
                    words = ["work", "--port", grid.port, "--hosts-file", hosts, "--connections", WORKERS, "--seconds", 300, "--until", count * quorum]
                    subprocess.run([str(x) for x in [BIN / "load", *words]], check=True, stdout=subprocess.DEVNULL)
                grid.wait_done(batch, 120)
                return time.monotonic() - began
            yield run
    return peer


# name: (what runs it, kinds, durable, TLS, the answers are checked)
PEERS = {
    "dugnad": (dugnad(1, False), ["noop"], "every change", "yes", "signed units; one answer"),
    "dugnad, quorum 2": (dugnad(2, False), ["noop"], "every change", "yes", "two equal answers"),
    "dugnad, real clients": (dugnad(1, True), ["noop", "pi"], "every change, both ends", "yes", "signed, sandboxed; one answer"),
    "dugnad, real, quorum 2": (dugnad(2, True), ["noop", "pi"], "every change, both ends", "yes", "signed, sandboxed; two equal"),
    "beanstalkd -b -f0": (beanstalkd, ["noop", "pi"], "every change", "no", "no"),
    "PostgreSQL SKIP LOCKED": (postgresql, ["noop", "pi"], "every change", "no (socket)", "no"),
    "Celery, Redis always": (celery, ["noop", "pi"], "queue and results", "no", "no"),
    "IPython Parallel": (ipyparallel, ["noop", "pi"], "no", "no", "no"),
    "Dask distributed": (dask, ["noop", "pi"], "no", "no", "no"),
}


def measure(name, o):
    peer, kinds, *promises = PEERS[name]
    seen = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory(prefix="dugnad-peer-", ignore_cleanup_errors=True) as folder, peer(o, folder) as run:
        run("noop", 20)  # warm
        for _ in range(o.rounds):
            seen["noop"].append(o.tasks / run("noop", o.tasks))
        if "pi" in kinds:
            seen["pi"].append(run("pi", o.blocks))
    return {k: statistics.median(v) for k, v in seen.items()}, promises


def main():
    p = argparse.ArgumentParser(prog="peers.sh")
    p.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    p.add_argument("--tasks", type=int, default=2000)
    p.add_argument("--blocks", type=int, default=24)
    p.add_argument("--samples", type=int, default=5000000)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--only", default=",".join(PEERS).replace(", ", "; "))
    o = p.parse_args()
    if o.worker:
        globals()[f"work_{o.worker[0]}"](*o.worker[1:])
        return
    wanted = [x.replace("; ", ", ") for x in o.only.split(",")]
    rows = [["system", "no-op tasks/s", f"pi, {o.blocks} blocks: s", "durable", "TLS", "answers checked"]]
    for name in PEERS:
        if not any(name.startswith(w) for w in wanted):
            continue
        # A process each: their libraries do not get into each other's way.
        child = os.fork()
        if child == 0:
            status = 0
            try:
                found, promises = measure(name, o)
                print(json.dumps({"peer": name, "noop_per_s": round(found["noop"], 1), "pi_s": round(found["pi"], 2) if "pi" in found else None,
                                  "durable": promises[0], "tls": promises[1], "checked": promises[2], "load_average": os.getloadavg()[0]}), flush=True)
            except Missing as why:
                print(json.dumps({"peer": name, "skipped": str(why)}), flush=True)
            except BaseException as why:  # noqa: BLE001 - one peer that fails does not end the others
                print(json.dumps({"peer": name, "failed": f"{type(why).__name__}: {why}"}), flush=True)
                status = 1
            finally:
                sys.stdout.flush()
                os._exit(status)
        os.waitpid(child, 0)
    del rows


if __name__ == "__main__":
    main()
