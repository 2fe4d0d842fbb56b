"""The work that is submitted all along, whose right answers are known, and who takes part in it besides the real clients."""

import base64
import http.client
import json
import random
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass
from types import SimpleNamespace

from check import Records
from grid import BIN, Api, Host, compact, digest, eventually
from items import items

BIG = 9000            # bytes: more than fits into a report, so it is uploaded
INLINE_MAX = 4096
COST_S = 2            # of each unit of each app: what a valid attempt is worth
OPEN_UNITS_MAX = 260  # no more is submitted while so much is open: the clients must keep up
OUTAGE_S = 120        # the longest that anybody keeps asking
GONE = (OSError, http.client.HTTPException)



@dataclass(frozen=True)
class Kind:
    """One sort of batch."""
    app: str
    command: tuple
    rules: dict
    outputs: object  # word -> {path: right text}
    units: int = 20
    by_name: bool = False  # its units' words are their own names, as `load work` answers

    def text(self, unit):
        files = self.outputs(self.word(unit))
        return files[min(files)]

    def word(self, unit):
        return unit if self.by_name else unit.rpartition(".")[2]


def plain(word):
    return {"out.txt": f"{word}\n"}


def big(word):
    return {"out.txt": f"{word}\n" + "x" * BIG}


def listed(word):
    return {"out.txt": f"{word}\n", "items.txt": items(word)}


QUORUM = dict(min_quorum=2, target_attempts=2)
MANY = dict(max_error_attempts=16, max_total_attempts=16, max_success_attempts=16)
BELIEF = dict(probation=5, escrow_units=20, hold_ms=5000)
APPS = {
    "say": ("dugnad-say",),
    "told": ("dugnad-say",),
    "lines": ("dugnad-say", "--compare", f"validator:{BIN}/apps/same-lines --comment # out.txt"),
    "items": ("dugnad-items", "--output", "out.txt", "--output", "items.txt", "--items", "items.txt", "--compare", "digest"),
    "checked": ("dugnad-items", "--output", "out.txt", "--checker", BIN / "dugnad-items", "--checker=--check"),
}
KINDS = {
    "quorum": Kind("say", ("--sleep", "20", "{}"), {**QUORUM, "deadline_ms": 10000}, plain, 40),
    "short": Kind("say", ("{}",), {**QUORUM, "deadline_ms": 6000}, plain, 20),
    "big": Kind("say", ("{}", "--bytes", str(BIG)), {**QUORUM, "deadline_ms": 10000}, big, 15),
    "judged": Kind("lines", ("{}",), {**QUORUM, "deadline_ms": 10000}, plain, 8),
    "adaptive": Kind("told", ("{}",), dict(policy="adaptive", audit_share=0.3, deadline_ms=10000, **BELIEF), plain, 40),
    "audit": Kind("items", ("{}",), dict(policy="audit", audit_share=0.3, deadline_ms=10000, **BELIEF), listed, 30),
    "checked": Kind("checked", ("{}",), dict(policy="checker", deadline_ms=10000), plain, 10),
}


def publish(grid):
    for name, (program, *options) in APPS.items():
        grid.publish(program, name, "--cost", COST_S, *options)


def answer_digest(files):
    outputs = [dict(path=p, sha256=digest(t.encode()), bytes=len(t.encode())) for p, t in sorted(files.items())]
    return digest(compact(dict(outputs=outputs)).encode())


def patient(api, method, path, body=None, headers=()):
    """Whatever happens on the way and to the server: again, until there is an answer that is one."""
    end = time.monotonic() + OUTAGE_S
    while True:
        try:
            reply = api.once(method, path, body, headers)
            if reply.status not in (429, 500, 503, 507):
                return reply
            why = f"{reply.status} {reply.body[:300]!r}"
        except GONE as e:
            why = repr(e)
        assert time.monotonic() < end, f"{method} {path}: {why}"
        time.sleep(0.1)


class Work:
    """What was submitted, and what was seen of it."""

    def __init__(self, grid, wire, seed):
        self.grid, self.wire, self.seed = grid, wire, seed
        self.lock = threading.Lock()
        self.submits, self.batches, self.retold = {}, {}, 0  # key -> batch; batch -> (kind, units)
        self.told, self.twice, self.late, self.lies, self.earlier = {}, 0, 0, 0, []

    def api(self, token=None):
        """By the wire, as everybody else; the operator's token if no other."""
        return Api(SimpleNamespace(address="127.0.0.1", port=self.wire.port), token or self.grid.token)

    def of(self, unit):
        with self.lock:
            return self.batches.get(unit.rpartition(".")[0])

    def note(self, key, batch, kind, units):
        with self.lock:
            self.submits[key] = batch
            self.batches[batch] = (kind, units)

    def all(self):
        with self.lock:
            return dict(self.batches)

    def counts(self):
        units = sum(n for _, n in self.batches.values())
        return dict(batches=len(self.batches), units=units, submits_retold=self.retold, reports_twice=self.twice, reports_late=self.late,
                    lies=self.lies, reports_checked=len(self.told))

    def wait_done(self, patience_s, tend):
        """What is not done by then is told, and is lost for the checker."""
        end, left = time.monotonic() + patience_s, list(self.all())
        api = Api(self.grid, self.grid.token)
        while left and time.monotonic() < end:
            tend()
            left = [b for b in left if patient(api, "GET", f"/v1/batches/{b}").ok()["state"] != "done"]
            time.sleep(0.2)
        for batch in left[:5]:
            print(f"batch {batch} ({self.batches[batch][0].app}) is not done: {self.grid.explain(batch)}")
            for unit in [u for u in api.pages(f"/v1/batches/{batch}/units") if u["state"] not in ("accepted", "failed")][:2]:
                print(f"{self.grid.unit(unit['unit'])}\n{self.grid.explain(unit['unit'])}")

    def records(self, grid):
        r = Records(batches=dict(self.submits), found=[b["batch"] for b in grid.api.pages("/v1/batches")], told=dict(self.told),
                    earlier=list(self.earlier))
        for batch, (kind, units) in self.batches.items():
            r.cost_micro[batch] = COST_S * 1000000
            if "escrow_units" in kind.rules:
                r.escrowed.add(batch)
            for i in range(units):
                unit = f"{batch}.{i}"
                r.wanted[unit] = kind.text(unit)
                r.attempts[unit] = grid.attempts(unit)
                if kind.rules.get("policy") != "audit":
                    r.digests[unit] = answer_digest(kind.outputs(kind.word(unit)))
            r.stream += read(grid.api, batch, 0)
        for host in grid.api.pages("/v1/hosts"):
            r.hosts[host["host"]] = (host["valid"], round(host["credit"] * 1e6))
            if host["banned"]:
                r.banned.add(host["host"])
        return r


def read(api, batch, after):
    """Results after that number, as the checker wants them."""
    lines = []
    while True:
        page = patient(api, "GET", f"/v1/batches/{batch}/results?after={after}&limit=500").ok()
        for item in page["items"]:
            lines.append((batch, item["seq"], item["unit"], text_of(api, item)))
        if not page["items"]:
            return lines
        after = page["items"][-1]["seq"]


def text_of(api, item):
    if item["state"] != "accepted":
        return None
    output = min(item["outputs"], key=lambda o: o["path"])
    data = base64.b64decode(output["data"]) if "data" in output else patient(api, "GET", f"/v1/blobs/{output['sha256']}").body
    return data.decode(errors="replace") if digest(data) == output["sha256"] else f"not what its digest says: {data[:40]!r}"


class Busy(threading.Thread):
    """Goes on, whatever happens, until it is told to stop."""

    pause_s, ends_with_trouble = 0.1, False

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.wanted, self.problem = work, True, None

    def run(self):
        try:
            while self.wanted:
                self.step()
                time.sleep(self.pause_s)
        except BaseException as e:  # noqa: BLE001 - raised by the main thread
            self.problem = e

    def raise_problem(self):
        if self.problem:
            raise self.problem

    def stop(self):
        self.wanted = False
        self.join(OUTAGE_S + 30)
        assert not self.is_alive(), f"{type(self).__name__} does not end"
        self.raise_problem()


class Submitter(Busy):
    """One batch after the other, as arrays and as lines in parts; each submit again under its key until it is acknowledged, some
    once more after that."""

    ends_with_trouble = True

    def __init__(self, work):
        super().__init__(work)
        self.api, self.rng, self.count = work.api(), random.Random(work.seed + 1), 0
        self.kinds, self.left_out, self.choice, self.open_max = [], (), KINDS, OPEN_UNITS_MAX

    def open_units(self):
        some = patient(self.api, "GET", "/v1/batches?limit=40").ok()["items"]
        return sum(b["units"] - b["accepted"] - b["failed"] for b in some)

    def step(self):
        if self.open_units() > self.open_max:
            return
        names = sorted(k for k in self.choice if k not in self.left_out)
        self.kinds = self.kinds or self.rng.sample(names, len(names))
        kind, key = self.choice[self.kinds.pop()], f"chaos-{self.count}"
        lines = self.rng.random() < 0.4 and not kind.by_name
        self.count += 1
        body = dict(app=kind.app, command=list(kind.command), rules={**MANY, **kind.rules})
        if not lines:
            body["array"] = dict(first=0, last=kind.units - 1)
        batch = self.make(key, body)
        if self.rng.random() < 0.3:
            self.work.retold += 1
            again = self.make(key, body)
            assert again == batch, f"submit {key} made batch {batch}, and told again batch {again}"
        if lines:
            self.fill(batch, kind.units)
        self.work.note(key, batch, kind, kind.units)

    def make(self, key, body):
        return patient(self.api, "POST", "/v1/batches", body, {"Idempotency-Key": key}).ok()["batch"]

    def fill(self, batch, units):
        at = 0
        while at < units:
            text = "".join(compact({"vars": {"": str(i)}}) + "\n" for i in range(at, min(at + 7, units)))
            reply = patient(self.api, "POST", f"/v1/batches/{batch}/units?first={at}", text)
            at = reply.json.get("next", reply.json.get("error", {}).get("next"))
            assert reply.status in (200, 201, 409) and at is not None, reply.body
        patient(self.api, "POST", f"/v1/batches/{batch}/close", {}).ok()


class Reader(Busy):
    """A scientist who reads results as they come."""

    pause_s, ends_with_trouble = 1.0, True

    def __init__(self, work):
        super().__init__(work)
        self.api, self.read, self.whole = work.api(), {}, set()

    def step(self):
        for batch, (_, units) in self.work.all().items():
            if batch in self.whole or not self.wanted:
                continue
            lines = read(self.api, batch, self.read.get(batch, 0))
            if lines:
                self.read[batch] = lines[-1][1]
                self.work.earlier += lines
            if self.read.get(batch) == units:
                self.whole.add(batch)


class Reporter(Busy):
    """A host that answers right (or always wrong), tells each report twice and once more, and keeps some until they are late."""

    pause_s = 0.4

    def __init__(self, work, name, late_s, lies=False):
        super().__init__(work)
        self.late_s, self.lies, self.keep, self.past = late_s, lies, {}, []
        self.host = Host(work.grid, name)
        self.host.api = work.api(self.host.api.token)
        self.name, self.rng = name, random.Random(f"{work.seed} {name}")

    def ask(self, **body):
        """One POST /v1/work, until it is answered; nothing for somebody who is banned."""
        reply = patient(self.host.api, "POST", "/v1/work", dict(held=list(self.host.held), **body))
        return reply.json if reply.status == 200 else None

    def step(self):
        reply = self.ask(reports=[], want=dict(seconds=1e6, cores=4, units_max=3 if not self.lies else 1))
        if reply is None:
            self.wanted = False
            return
        for unit in reply["units"]:
            if "spec" in unit:
                self.host.held[unit["attempt"]] = unit
                self.keep[unit["attempt"]] = time.monotonic() + (self.late_s if self.rng.random() < 0.5 else 0)
        due = [a for a, at in self.keep.items() if at <= time.monotonic() and self.work.of(a.rpartition(".")[0])]
        if due:
            self.report(due)

    def files(self, attempt):
        unit, (kind, _) = self.host.held[attempt], self.work.of(attempt.rpartition(".")[0])
        word = attempt.rpartition(".")[0] if kind.by_name else json.loads(unit["spec"])["vars"].get("")
        if unit.get("audit"):
            files = {"items.txt": items(word, unit["audit"])}
        else:
            files = kind.outputs(word)
        return {p: t.replace(word, f"{word}7") for p, t in files.items()} if self.lies else files

    def report(self, attempts):
        reports = {}
        for attempt in attempts:
            files = self.files(attempt)
            report = dict(attempt=attempt, outcome="ok", outputs=[], usage=dict(cpu_ms=10, wall_ms=20, memory_bytes=1 << 20))
            for path, text in sorted(files.items()):
                data = text.encode()
                output = dict(path=path, sha256=digest(data), bytes=len(data))
                if len(data) <= INLINE_MAX:
                    output["data"] = base64.b64encode(data).decode()
                else:
                    self.upload(attempt, data)
                report["outputs"].append(output)
            reports[attempt] = (report, answer_digest(files))
        self.tell(reports)
        self.past = (self.past + [r for r, _ in reports.values()])[-20:]
        if self.past and self.rng.random() < 0.3:  # long answered and acknowledged
            self.ask(reports=[self.rng.choice(self.past)])
            self.work.twice += 1

    def tell(self, reports):
        both = [r for r, _ in reports.values()]
        reply = self.ask(reports=both + both)
        self.work.twice += len(both)
        for ack in (reply or {}).get("acks", []):
            attempt = ack["attempt"]
            if ack["code"] in ("busy", "missing"):
                continue  # it keeps it and tells it again
            if attempt in self.host.held:
                self.work.late += bool(self.late_s)
                self.work.lies += self.lies
                del self.host.held[attempt], self.keep[attempt]
            if ack["code"] == "ok":
                self.work.told[attempt] = reports[attempt][1]

    def upload(self, attempt, data):
        path = f"/v1/blobs/{digest(data)}"
        while (head := patient(self.host.api, "HEAD", path)).status != 200 and "upload-offset" in head.headers:
            at = int(head.headers["upload-offset"])
            patient(self.host.api, "PATCH", f"{path}?attempt={attempt}", data[at:at + 4000],
                    {"Upload-Offset": str(at), "Upload-Length": str(len(data)), "Content-Type": "application/octet-stream"})


class Liar:
    """A real client with one function wrapped: after three honest outputs it changes a digit in each. Banned, it joins anew, as
    another that tells other lies: two who agreed on a lie would be a quorum."""

    def __init__(self, grid):
        self.client, self.again = grid.client("liar"), 0
        self.words = self.client.words[1:]
        self.lie()
        self.client.start()
        self.joiner, self.waits = None, False

    def lie(self):
        self.client.words = ["env", "DUGNAD_LIE=3", f"DUGNAD_LIE_BY={1 + self.again % 9}", BIN / "dugnad-liar", *self.words]

    def come_again(self):
        """False while it is still about it."""
        if self.waits:
            return False
        client = self.client
        client.kill()
        conf = (client.data / "client.conf").read_text()
        shutil.rmtree(client.data)
        client.data.mkdir()
        (client.data / "client.conf").write_text(conf)
        self.again += 1
        self.lie()
        self.waits = True
        self.joiner = threading.Thread(target=self.join, daemon=True)
        self.joiner.start()
        return True

    def joins(self):
        return self.joiner is not None and self.joiner.is_alive()

    def start_if_joined(self):
        """By the main thread: processes end with the one that started them."""
        if self.waits and not self.joins():
            self.waits = False
            self.client.start()

    def join(self):
        """The server may be away, or stopped."""
        for _ in range(10):
            try:
                self.client.join()
                return
            except (AssertionError, subprocess.TimeoutExpired):
                time.sleep(1)
