"""A whole project for a test: a server, clients, the command line, raw HTTPS, and hosts that do exactly what the test says.

    with Grid(folder) as grid:
        grid.publish("dugnad-say")                 # packed, signed, published
        batch = grid.submit("say", array=10, command=["{}"], quorum=1)
        grid.client("ada").start()                 # a real dugnad-client
        liar = grid.host("liar")                   # speaks /v1/work as told
        grid.wait_done(batch)

Everything listens on loopback, lives in one folder, and ends with the block: processes by their id, and by the kernel if
the test itself is killed."""

import base64
import ctypes
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import time
from pathlib import Path

import postgres

BIN = Path(os.environ["DUGNAD_BIN"])
KEYS = "offline-keys"
SERVER_CONF = dict(contact="1s", contact_idle="1s", token_rate=0, address_rate=0, disk_free_min="1M", load_max=0)
# Not at idle priority: a test beside this one would leave it nothing. test_comfort.py has that.
CLIENT_CONF = dict(cores=1, report_wait="0s", work_buffer="1m", disk_free_min="1M", idle_priority="no")
PATIENCE = 4  # waits are said for a quiet machine and may take so many times as long: only what is broken ever waits for all of it
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def digest(data):
    return hashlib.sha256(data).hexdigest()


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def eventually(check, seconds=20, every=0.05, what=None):
    """The first true thing that check() returns; fails after so many seconds, on a busy machine PATIENCE times as many."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < end, f"{what or check.__name__}: not within {seconds * PATIENCE} s"
        time.sleep(every)


def set_conf(path, **values):
    """Options of a configuration file, which may not stand there twice."""
    lines = path.read_text().splitlines() if path.exists() else []
    kept = [x for x in lines if x.partition("=")[0].strip() not in values]
    path.write_text("\n".join(kept + [f"{name} = {value}" for name, value in values.items()]) + "\n")


def unverified():
    """TLS without a look at the certificate: that is tested with the real programs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Process:
    """A daemon of ours: its output goes to a log, it never outlives the test. Start it from the main thread."""

    def __init__(self, words, log):
        self.words, self.log, self.child = [str(x) for x in words], Path(log), None

    def start(self):
        assert not self.alive()
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        return self

    @property
    def pid(self):
        return self.child.pid

    def alive(self):
        return self.child is not None and self.child.poll() is None

    def end(self, sig=signal.SIGTERM, seconds=20 * PATIENCE):
        """The exit status; -SIGNAL when a signal ended it."""
        if self.child is None:
            return 0
        if self.child.poll() is None:
            self.child.send_signal(sig)
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"{self.words[0]} did not end within {seconds} s of signal {sig}; see {self.log}")

    def kill(self):
        return self.end(signal.SIGKILL)

    def restart(self):
        self.kill()
        return self.start()

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def ok(self):
        assert 200 <= self.status < 300, f"{self.status}: {self.body[:500]!r}"
        return self.json if self.body else None

    def refused(self, status, code):
        """An error as the protocol has it: a word, a sentence, a status."""
        assert self.status == status, f"wanted {status} {code}, got {self.status}: {self.body[:500]!r}"
        assert self.headers.get("content-type", "").startswith("application/json"), self.headers
        assert set(self.json) == {"error"}, self.body
        error = self.json["error"]
        assert error["code"] == code, error
        assert len(error["message"]) > 15 and " " in error["message"], error
        if status in (429, 503, 507):
            assert int(self.headers["retry-after"]) > 0
        return error["message"]


class Api:
    """HTTPS with a token, one connection kept open. Not for several threads at once."""

    def __init__(self, grid, token=None):
        self.grid, self.token, self.connection = grid, token, None

    def connect(self):
        if self.connection is None:
            self.connection = http.client.HTTPSConnection(self.grid.address, self.grid.port, context=unverified(), timeout=30 * PATIENCE)
            self.connection.connect()
        return self.connection

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def once(self, method, path, body=None, headers=()):
        """Exactly one request. Any answer is a Reply; no answer is an OSError or HTTPException."""
        headers = dict(headers)
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        if isinstance(body, (dict, list)):
            body = compact(body)
        if isinstance(body, str):
            body = body.encode()
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        try:
            connection = self.connect()
            try:
                connection.request(method, path, body, headers)
            except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
                pass  # refused while it was being sent: the answer may be there
            reply = connection.getresponse()
            data = reply.read()
        except BaseException:
            self.close()
            raise
        if reply.will_close:
            self.close()
        return Reply(reply.status, {k.lower(): v for k, v in reply.getheaders()}, data)

    def ask(self, method, path, body=None, headers=()):
        """Once more on a fresh connection when the server has closed an idle one, and while it is away."""
        end = time.monotonic() + 15
        while True:
            try:
                return self.once(method, path, body, headers)
            except (OSError, http.client.HTTPException):
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def get(self, path):
        return self.ask("GET", path).ok()

    def post(self, path, body=None, key=None):
        return self.ask("POST", path, body, {"Idempotency-Key": key} if key else {}).ok()

    def pages(self, path, most=1000):
        """All items of a list."""
        items, after = [], None
        while True:
            page = self.get(path + ("&" if "?" in path else "?") + f"limit={most}" + (f"&after={after}" if after else ""))
            items += page["items"]
            after = page.get("next")
            if after is None or not page["items"]:
                return items


class Host:
    """Speaks /v1/hosts and /v1/work as the protocol has it, and for the rest does what the test says. Checks no
    signature and runs nothing."""

    FACTS = dict(platform="x86_64-linux", os="linux", cpu="a test", cores=4, memory_bytes=16 << 30,
                 disk_bytes=100 << 30, features=["avx2"], client="0.0.1")

    def __init__(self, grid, name, volunteer_token=None, **join):
        self.name, self.api, self.held, self.specs = name, Api(grid), {}, {}
        body = dict(nickname=name, host=self.FACTS, **join)
        if volunteer_token:
            body["volunteer_token"] = volunteer_token
        joined = self.api.post("/v1/hosts", body, key=os.urandom(8).hex())
        self.id, self.volunteer, self.volunteer_token = joined["host"], joined["volunteer"], joined.get("volunteer_token")
        self.api.token = joined["token"]

    def work(self, reports=(), want=0, held=None, **more):
        """One POST /v1/work; the reply."""
        body = dict(reports=list(reports), held=list(self.held) if held is None else held, **more)
        if want:
            body["want"] = dict(seconds=1e6, cores=4, units_max=want)
        return self.api.post("/v1/work", body)

    def take(self, most, **more):
        """Asks for units; those that came: attempt -> unit, with what varies as "word"."""
        came = {}
        for unit in self.work(want=most, **more)["units"]:
            if "spec" in unit:
                unit["word"] = json.loads(unit["spec"])["vars"].get("")
                came[unit["attempt"]] = unit
        self.held.update(came)
        return came

    def take_all(self, count, seconds=10):
        """Until it has so many."""
        def enough():
            self.take(min(count - len(self.held), 200))
            return len(self.held) >= count
        eventually(enough, seconds, what=f"{self.name} gets {count} units")
        return dict(self.held)

    def report(self, *reports, **more):
        """Attempt -> ack. What is acknowledged for good is not held any more."""
        acks = {x["attempt"]: x for x in self.work(reports=reports, **more)["acks"]}
        for attempt, ack in acks.items():
            if ack["code"] not in ("busy", "missing"):
                self.held.pop(attempt, None)
        return acks

    @staticmethod
    def answer(attempt, data, path="out.txt", **more):
        """A report with one small output."""
        data = data.encode() if isinstance(data, str) else data
        output = dict(path=path, sha256=digest(data), bytes=len(data), data=base64.b64encode(data).decode())
        return dict(attempt=attempt, outcome="ok", outputs=[output],
                    usage=dict(cpu_ms=10, wall_ms=20, memory_bytes=1 << 20), **more)

    @staticmethod
    def error(attempt, outcome, **more):
        return dict(attempt=attempt, outcome=outcome, usage=dict(cpu_ms=1, wall_ms=1, memory_bytes=1), **more)

    @staticmethod
    def answer_digest(data, path="out.txt"):
        data = data.encode() if isinstance(data, str) else data
        return digest(compact(dict(outputs=[dict(path=path, sha256=digest(data), bytes=len(data))])).encode())

    def work_off(self, say=lambda word: f"{word}\n", most=200):
        """Takes what there is and answers it, and what it could not report before; how many."""
        self.take(most)
        held = dict(list(self.held.items())[:200])  # what a request may hold
        if held:
            self.report(*(self.answer(a, say(u["word"])) for a, u in held.items()))
        return len(held)


class Client(Process):
    """A real dugnad-client."""

    def __init__(self, grid, name, link=None, **conf):
        self.grid, self.name, self.data, self.link = grid, name, grid.folder / name, link or grid.link
        super().__init__([BIN / "dugnad-client", "--data", self.data, "run"], grid.folder / f"{name}.log")
        self.data.mkdir()
        set_conf(self.data / "client.conf", **{**CLIENT_CONF, **conf})

    def call(self, *words, timeout=30 * PATIENCE):
        return subprocess.run([BIN / "dugnad-client", "--data", self.data, *map(str, words)], text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def join(self):
        done = self.call("join", self.link)
        assert done.returncode == 0, done.stderr
        return self

    def start(self):
        """Until the daemon can be spoken to, or has ended."""
        if not (self.data / "project.json").exists():
            self.join()
        super().start()
        eventually(lambda: self.listens() or not self.alive(), what=f"the daemon of {self.name} listens")
        return self

    def listens(self):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(str(self.data / "control")) == 0


class Grid:
    """database: as in server.conf. Nothing said: an empty one of the kind that DUGNAD_IT_DATABASE names, sqlite or postgres."""

    def __init__(self, folder, name="test", address="127.0.0.1", database=None, **conf):
        self.address = address
        self.folder = Path(folder)
        self.data, self.processes, self.hosts = self.folder / "server", [], []
        if database is None and os.environ.get("DUGNAD_IT_DATABASE") == "postgres":
            database = postgres.shared().new()
        self.database = database
        words = ["--database", database] if database else []
        made = subprocess.run([BIN / "dugnad-server", "--data", self.data, "init", "--name", name, "--listen", f"[{address}]:0" if ":" in address else f"{address}:0", *words],
                              text=True, timeout=30 * PATIENCE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert made.returncode == 0, made.stderr
        self.link = re.search(r"https://\S+/join#\S+", made.stdout).group()
        self.url = self.link.partition("/join#")[0]
        self.port = int(self.url.rpartition(":")[2])
        set_conf(self.data / "server.conf", **{**SERVER_CONF, **conf})
        self.token = (self.data / "operator.token").read_text().split()[0]
        self.server = Process([BIN / "dugnad-server", "--data", self.data, "serve"], self.folder / "server.log")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("DUGNAD_")}
        self.env["DUGNAD_CONFIG"] = str(self.folder / "login.json")
        self.api = Api(self, self.token)

    def stored(self):
        """The bytes of all files that the database has."""
        folder = Path(postgres.settings_of(self.database)["host"]) if self.database else self.data
        return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file() and (self.database or path.name.startswith("project.db")))

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.server.kill()
            raise

    def __exit__(self, kind, value, trace):
        self.api.close()
        for host in self.hosts:
            host.api.close()
        if kind is not None:
            for process in [*self.processes, self.server]:
                process.kill()
            return
        ends = {}
        for process in [*self.processes, self.server]:  # told to stop, they stop
            if process.alive():
                try:
                    ends[process.log.name] = process.end()
                except AssertionError as e:
                    ends[process.log.name] = e
        assert not any(ends.values()), f"SIGTERM should end them with status 0: {ends}; {self.server.text()[-1000:]}"

    def logs(self):
        """The end of each log, for whoever has to find out why a test failed."""
        return [(x.log.name, x.text()[-4000:]) for x in [*self.processes, self.server]]

    def asked(self, sql):
        """The one value that a query of the project's database gives, past the server."""
        if self.database and self.database.startswith("postgres"):
            return postgres.asked(self.database, sql)
        db = sqlite3.connect(f"file:{self.data / 'project.db'}?mode=ro", uri=True)
        try:
            return db.execute(sql).fetchone()[0]
        finally:
            db.close()

    # --- the server

    def start(self):
        self.server.start()
        self.wait_ready()
        return self

    def ready(self):
        assert self.server.alive(), f"the server has ended: {self.server.text()[-2000:]}"
        probe = Api(self)
        try:
            return probe.once("GET", "/readyz").status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            probe.close()

    def wait_ready(self, seconds=15):
        eventually(self.ready, seconds, every=0.02, what="the server is ready")

    def kill_server(self):
        """kill -9 and a new start."""
        self.server.restart()
        self.wait_ready()

    # --- hosts, clients, people

    def client(self, name, **conf):
        self.processes.append(Client(self, name, **conf))
        return self.processes[-1]

    def host(self, name, **more):
        self.hosts.append(Host(self, name, **more))
        return self.hosts[-1]

    def user(self, name, role="scientist", scope=None, **more):
        """A person of this role, with a token that may be narrowed."""
        made = self.api.post("/v1/users", dict(name=name, role=role, **more))
        token = made["token"]
        if scope:
            who = Api(self, token).get("/v1/whoami")
            token = self.api.post("/v1/tokens", dict(user=who["id"], scope=scope))["token"]
        return Api(self, token)

    def dugnad(self, *words, status=0, stdin=None, timeout=60 * PATIENCE, env=None):
        """The command line; what it printed."""
        done = subprocess.run([BIN / "dugnad", *map(str, words)], env={**self.env, **(env or {})}, text=True, timeout=timeout,
                              input=stdin if stdin is not None else "", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == status, f"dugnad {words}: status {done.returncode}, wanted {status}\n{done.stderr}{done.stdout}"
        return done.stdout if status in (0, 1) else done.stderr

    def login(self):
        return self.dugnad("login", self.link, "--token-file", self.data / "operator.token")

    # --- apps

    def pack(self, program, name=None, *options):
        name = name or program.removeprefix("dugnad-")
        folder = self.folder / f"app-{name}"
        if "--stdout" not in options and "--output" not in options:
            options = (*options, "--stdout", "out.txt")
        self.dugnad("app", "pack", BIN / program, "--quiet", "--name", name, "--out", folder, *options)
        return folder

    def sign(self, folder, key=None):
        keys = [key] if key else sorted((self.data / KEYS).glob("release*.pem"))
        assert keys, f"no release key in {self.data / KEYS}"
        self.dugnad("app", "sign", folder / "release.json", "--quiet", *(x for k in keys for x in ("--key", k)))
        return folder / "release.signed.json"

    def publish(self, program, name=None, *options):
        if not (self.folder / "login.json").exists():
            self.login()
        self.dugnad("app", "publish", self.sign(self.pack(program, name, *options)))

    # --- batches

    def submit(self, app, array=None, lines=None, command=("{}",), api=None, quorum=2, deadline_ms=600000, limits=None, priority=0,
               **rules):
        """A batch over HTTPS: array: how many units, counted from 0; lines: one unit for each word."""
        api = api or self.api
        rules = {**({"min_quorum": quorum, "target_attempts": quorum} if quorum else {}), "deadline_ms": deadline_ms, **rules}
        body = dict(app=app, command=list(command), rules=rules)
        if limits:
            body["limits"] = limits
        if priority:
            body["priority"] = priority
        if lines is None:
            body["array"] = dict(first=0, last=array - 1)
        batch = api.post("/v1/batches", body, key=os.urandom(8).hex())["batch"]
        if lines is not None:
            text = "".join(compact({"vars": {"": word}}) + "\n" for word in lines)
            api.post(f"/v1/batches/{batch}/units?first=0", text)
            api.post(f"/v1/batches/{batch}/close")
        else:  # the server makes them in slices
            eventually(lambda: api.get(f"/v1/batches/{batch}")["units"] == array, 10, 0.01, f"the {array} units are there")
        return batch

    def cancel_all(self):
        """So that the next test finds no work of this one."""
        for batch in self.api.pages("/v1/batches"):
            if batch["state"] not in ("done", "cancelled"):
                self.api.post(f"/v1/batches/{batch['batch']}/cancel")

    def status(self, batch):
        return self.api.get(f"/v1/batches/{batch}")

    def unit(self, unit):
        return self.api.get(f"/v1/units/{unit}")

    def attempts(self, unit):
        return self.unit(unit)["attempts"]

    def attempt(self, name):
        """One attempt by its full name."""
        unit, _, number = name.rpartition(".")
        return next(x for x in self.attempts(unit) if str(x["attempt"]) == number)

    def wait_done(self, batch, seconds=40, states=("done", "cancelled")):
        def done():
            status = self.status(batch)
            return status if status["state"] in states else None
        try:
            return eventually(done, seconds, every=0.1, what=f"batch {batch} is done")
        except AssertionError as e:
            raise AssertionError(f"{e}: {self.status(batch)}; {self.explain(batch)}") from None

    def explain(self, what):
        return self.api.get(f"/v1/{'units' if '.' in what else 'batches'}/{what}/explain")["text"]

    def results(self, batch, after=0):
        """The whole stream of delivered outcomes, in order."""
        items = []
        while True:
            page = self.api.get(f"/v1/batches/{batch}/results?after={after}&limit=500")
            items += page["items"]
            if not page["items"]:
                return items
            after = page["items"][-1]["seq"]

    def content(self, output):
        """The bytes of an output in the stream."""
        data = base64.b64decode(output["data"]) if "data" in output else \
            self.api.ask("GET", f"/v1/blobs/{output['sha256']}").body
        assert digest(data) == output["sha256"] and len(data) == output["bytes"]
        return data

    def answers(self, batch):
        """Unit -> the text of its only output; a unit that was delivered twice fails the test."""
        found, before = {}, 0
        for item in self.results(batch):
            assert item["seq"] > before, "the stream is not in order"
            before = item["seq"]
            assert item["unit"] not in found, f"{item['unit']} was delivered twice"
            found[item["unit"]] = self.content(item["outputs"][0]).decode() if item["state"] == "accepted" else None
        return found
