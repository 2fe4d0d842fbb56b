"""Dugnad from Python: one file, only the standard library. Log in once with `dugnad login`; then

    import dugnad
    grid = dugnad.Grid()
    for answer in grid.map("pi", range(100), command=["--samples", "1000000", "--block", "{}"]):
        print(answer.text())

Grid: submit, map, graph, batches, upload, publish, tail, consume. Batch: status, wait, results, save, cancel, purge, pause, resume,
close, priority, retry, dead, failures, explain, unit, provenance.

What it says to the server is in workunits/wire/PROTOCOL.md. A server is believed by its pins, as `dugnad` has proved them."""

import base64
import hashlib
import http.client
import json
import os
import random
import ssl
import sys
import time
import urllib.parse
from pathlib import Path

__all__ = ["Grid", "Batch", "Result", "Output", "GridError", "UnitFailed"]

BACKOFF_BASE_S, BACKOFF_CAP_S, TRIES = 1.0, 60.0, 8
PART_BYTES, LINES_MAX, LINES_BYTES = 16 << 20, 5000, 4 << 20


class GridError(Exception):
    """What the server or the network said. code is a word of PROTOCOL.md section 1, or "unreachable"."""

    def __init__(self, code, message, status=0):
        super().__init__(f"{message} ({code})")
        self.code, self.message, self.status = code, message, status


class UnitFailed(Exception):
    """A unit of a map() has no answer; result says which and why."""

    def __init__(self, result):
        super().__init__(f"unit {result.unit} failed: {result.failure}; `dugnad show {result.unit}` says why")
        self.result = result


def _compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _public_key_info(der):
    """The SubjectPublicKeyInfo of a certificate: RFC 5280 section 4.1, the seventh part of the first part, where the
    version ([0]) is given."""

    def part(at):
        length, start = der[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            length, start = int.from_bytes(der[start:start + count], "big"), start + count
        return start, start + length

    at = part(part(0)[0])[0]
    if der[at] == 0xA0:
        at = part(at)[1]
    for _ in range(5):  # serial number, algorithm, issuer, validity, subject
        at = part(at)[1]
    return der[at:part(at)[1]]


class _Connection:
    """HTTPS to one server, kept open; believed by its pins."""

    def __init__(self, url, token, pins):
        self.at = urllib.parse.urlsplit(url)
        self.token, self.pins, self.open = token, pins, None

    def connect(self):
        if self.open is None:
            context = ssl.create_default_context()
            if self.pins:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = http.client.HTTPSConnection(self.at.hostname, self.at.port or 443, context=context, timeout=120)
            connection.connect()
            info = hashlib.sha256(_public_key_info(connection.sock.getpeercert(True))).digest()
            if self.pins and base64.b64encode(info).decode() not in self.pins:
                connection.close()
                raise GridError("untrusted", f"{self.at.netloc} shows another certificate than the project has named: "
                                             "log in again with the join link")
            self.open = connection
        return self.open

    def close(self):
        if self.open is not None:
            self.open.close()
            self.open = None

    def once(self, method, path, body, headers):
        try:
            connection = self.connect()
            connection.request(method, path, body, {"Authorization": f"Bearer {self.token}", **headers})
            reply = connection.getresponse()
            data = reply.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if reply.will_close:
            self.close()
        return reply.status, reply.headers, data


class Grid:
    """A project one is logged in to. Not for several threads at once."""

    def __init__(self, profile=None, config=None):
        path = Path(config or os.environ.get("DUGNAD_CONFIG") or
                    Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "dugnad" / "login.json")
        try:
            known = json.loads(path.read_text())
        except FileNotFoundError:
            raise GridError("auth", f"{path} is not there: log in first with `dugnad login`") from None
        name = profile or known["current"]
        if name not in known["profiles"]:
            raise GridError("missing", f"{path} has no profile {name!r}, only {', '.join(known['profiles'])}")
        mine = known["profiles"][name]
        self.name, self.url = mine["project"], mine["url"]
        self._connection = _Connection(mine["url"], mine["token"], mine.get("pins", []))

    def ask(self, method, path, body=None, headers=None):
        """One request, tried again while that can help: (status, headers, bytes)."""
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = _compact(body)
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        for tries in range(TRIES):
            wait = random.uniform(0, min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2 ** tries))
            try:
                status, got, data = self._connection.once(method, path, body, headers)
            except (OSError, http.client.HTTPException) as e:
                problem = GridError("unreachable", f"{self.url}: {e}")
            else:
                if status < 400 or method == "HEAD":
                    return status, got, data
                problem = self._problem(status, data)
                if status not in (429, 503, 507):
                    raise problem
                wait += float(got.get("Retry-After") or 0)
            if tries + 1 < TRIES:
                time.sleep(wait)
        raise problem

    @staticmethod
    def _problem(status, data):
        try:
            error = json.loads(data)["error"]
            problem = GridError(error["code"], error["message"], status)
        except (ValueError, KeyError, TypeError):
            problem = GridError("io", f"the server answered {status}", status)
        problem.body = data
        return problem

    def get(self, path):
        return json.loads(self.ask("GET", path)[2])

    def post(self, path, body=None, headers=None):
        return json.loads(self.ask("POST", path, {} if body is None else body, headers)[2])

    # --- files

    def upload(self, file):
        """Sends a file if the server does not have it; goes on where an earlier try stopped. (sha256, bytes)."""
        with open(file, "rb") as f:
            digest = hashlib.file_digest(f, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _digest(f)
            total = f.seek(0, os.SEEK_END)
            path = f"/v1/blobs/{digest}"
            status, headers, _ = self.ask("HEAD", path)
            offset = int(headers.get("Upload-Offset") or 0)
            while status not in (200, 201):
                f.seek(offset)
                try:
                    status, headers, _ = self.ask("PATCH", path, f.read(min(PART_BYTES, total - offset)), {
                        "Content-Type": "application/octet-stream", "Upload-Offset": str(offset), "Upload-Length": str(total)})
                except GridError as e:
                    if e.code != "conflict":
                        raise
                    status, headers, _ = self.ask("HEAD", path)
                offset = int(headers.get("Upload-Offset") or 0)
        return digest, total

    def _input(self, file, name=None):
        digest, size = self.upload(file)
        return {"path": name or Path(file).name, "sha256": digest, "bytes": size}

    # --- batches

    def submit(self, app, items, command=("{}",), *, inputs=(), name=None, key=None, quorum=None, **more):
        """Makes a batch with one unit for each item. An item is a text or number (it fills {} in the command), a dict of
        texts ({NAME}), or a pathlib.Path (the file is an input, its name fills {}). inputs: files of all units. more: as in
        POST /v1/batches (version, limits, env, priority, labels, rules, policy, stdin). The same key is the same batch."""
        key = key or base64.urlsafe_b64encode(os.urandom(24)).decode()
        body = {"app": app, "command": [str(word) for word in command], **more}
        if inputs:
            body["inputs"] = [self._input(file) for file in inputs]
        if name:
            body["name"] = name
        if quorum:
            body["rules"] = {"min_quorum": quorum, "target_attempts": quorum, **body.get("rules", {})}
        batch = Batch(self, self.post("/v1/batches", body, {"Idempotency-Key": key})["batch"])
        self._load(batch, items)
        return batch

    def _line(self, item):
        if isinstance(item, dict):
            return {"vars": {k: str(v) for k, v in item.items()}, "inputs": []}
        if isinstance(item, Path):
            return {"vars": {"": item.name}, "inputs": [self._input(item)]}
        return {"vars": {"": str(item)}, "inputs": []}

    def _load(self, batch, items):
        done, lines, size = 0, [], 0
        for item in items:
            lines.append(_compact(self._line(item)) + b"\n")
            size += len(lines[-1])
            if len(lines) == LINES_MAX or size >= LINES_BYTES:
                done, lines, size = self._append(batch, done, lines), [], 0
        if lines:
            self._append(batch, done, lines)
        try:
            self.post(f"/v1/batches/{batch.id}/close")
        except GridError as e:
            if e.code != "stale":  # it was closed before: the same key
                raise

    def _append(self, batch, done, lines):
        """Lines that are there already, of a request whose answer was lost, are not sent again."""
        end = done + len(lines)
        while done < end:
            try:
                done = self.post(f"/v1/batches/{batch.id}/units?first={done}", b"".join(lines[done - end:]))["next"]
            except GridError as e:
                there = json.loads(e.body).get("next") if e.code == "conflict" else None
                if e.code == "stale":
                    return end
                if there is None or there <= done:
                    raise
                done = min(there, end)
        return end

    def graph(self, stages, key=None):
        """Stages that need each other, as in the file of `dugnad graph submit`, but with inputs as uploaded (see upload()): each
        is a dict with a name and what POST /v1/batches takes, "units" (a list of items), and of earlier stages by their names
        "after", "each", "lines" or "reduce". A re-run takes what has an answer already. The batches by name."""
        key, made = key or base64.urlsafe_b64encode(os.urandom(18)).decode(), {}
        links = ("each", "lines", "reduce")
        for number, stage in enumerate(stages):
            how = {k: stage[k] for k in ("file", "fan_in", "failed") if k in stage}
            how.update({k: made[stage[k]].id for k in links if k in stage})
            if "after" in stage:
                how["after"] = [made[name].id for name in stage["after"]]
            if made:
                how["graph"] = next(iter(made.values())).id
            body = {"reuse": "array" not in stage, **stage, "stage": how}
            for k in (*links, "file", "fan_in", "failed", "after", "units"):
                body.pop(k, None)
            batch = Batch(self, self.post("/v1/batches", body, {"Idempotency-Key": f"{key}.{number}"})["batch"])
            made[stage["name"]] = batch
            if "units" in stage:
                self._load(batch, stage["units"])
        return made

    # --- streams

    def publish(self, stream, records, group=None, key=None):
        """Texts (or what json.dumps() takes) into a stream; the number of the last one."""
        lines = [r if isinstance(r, str) else _compact(r).decode() for r in records]
        if any("\n" in line or not line for line in lines):
            raise ValueError("a record is one line that is not empty")
        last, headers = 0, {"Content-Type": "application/x-ndjson"}
        query = "?" + urllib.parse.urlencode({"group": group}) if group else ""
        for at in range(0, len(lines), 1000):
            headers["Idempotency-Key"] = f"{key}.{at}" if key else base64.urlsafe_b64encode(os.urandom(24)).decode()
            body = "".join(line + "\n" for line in lines[at:at + 1000]).encode()
            last = json.loads(self.ask("POST", f"/v1/streams/{stream}{query}", body, headers)[2])["last"]
        return last

    def tail(self, stream, after=0, follow=True):
        """Records as they come, without taking them from anybody."""
        while True:
            page = self.get(f"/v1/streams/{stream}/records?after={after}&limit=500&wait={30 if follow else 0}")
            yield from page["items"]
            if not page["items"] and not follow:
                return
            after = page["next"]

    def consume(self, stream, cursor, handle, member=None, limit=100, lease_s=60, seconds=None):
        """Calls handle(record) for each record of a cursor and acknowledges it when that returns; when it raises, the record is
        given back and the exception goes on. Members of one cursor share it. seconds: so long without a record ends it; None:
        never. How many were handled."""
        member = member or f"py-{os.getpid()}-{base64.b16encode(os.urandom(4)).decode()}"
        path, done, idle_from = f"/v1/streams/{stream}", 0, time.monotonic()
        query = urllib.parse.urlencode({"cursor": cursor, "member": member, "limit": limit, "lease": lease_s})
        while True:
            left = None if seconds is None else seconds - (time.monotonic() - idle_from)
            if left is not None and left < 0:
                return done
            page = self.get(f"{path}/records?{query}&wait={30 if left is None else int(min(30, left))}")
            for at, record in enumerate(page["items"]):
                try:
                    handle(record)
                except BaseException:
                    back = [r["seq"] for r in page["items"][at:]]
                    self.post(f"{path}/cursors/{cursor}/ack", {"member": member, "back": back})
                    raise
                self.post(f"{path}/cursors/{cursor}/ack", {"member": member, "seqs": [record["seq"]]})
                done += 1
            if page["items"]:
                idle_from = time.monotonic()

    def batch(self, number):
        return Batch(self, str(number))

    def batches(self):
        return self.get("/v1/batches?limit=100")["items"]

    def map(self, app, items, command=("{}",), *, progress=None, **more):
        """The answers of all items, in their order; raises UnitFailed for the first that has none."""
        batch = self.submit(app, items, command, **more)
        found = {}
        for result in batch.results(progress=_watched() if progress is None else progress):
            if result.failure:
                raise UnitFailed(result)
            found[result.index] = result
        return [found[i] for i in sorted(found)]


def _watched():
    """Is there a person who sees a bar that is drawn over itself: on a terminal or in a notebook?"""
    return sys.stderr.isatty() or type(sys.stderr).__module__.split(".")[0] == "ipykernel"


def _digest(f):
    h = hashlib.sha256()
    while piece := f.read(1 << 20):
        h.update(piece)
    return h.hexdigest()


class Batch:
    def __init__(self, grid, number):
        self.grid, self.id = grid, number

    def __repr__(self):
        return f"<batch {self.id} of {self.grid.name}>"

    def status(self):
        return self.grid.get(f"/v1/batches/{self.id}")

    def _do(self, verb):
        return self.grid.post(f"/v1/batches/{self.id}/{verb}")

    def cancel(self):
        return self._do("cancel")

    def purge(self):
        """Removes larger answers of a finished batch for good, and later the inputs that nothing else needs."""
        return self._do("purge")

    def pause(self):
        return self._do("pause")

    def resume(self):
        return self._do("resume")

    def retry(self):
        """All units that failed begin again."""
        return self._do("retry")

    def close(self):
        """No more units: it is done when those that it has are."""
        return self._do("close")

    def priority(self, number):
        return json.loads(self.grid.ask("PATCH", f"/v1/batches/{self.id}", {"priority": number})[2])

    def dead(self):
        """The units that were given up, each with its attempts and what they said."""
        after, units = "", []
        while after is not None:
            page = self.grid.get(f"/v1/batches/{self.id}/units?state=failed&limit=500" + (f"&after={after}" if after else ""))
            units += [self.unit(u["unit"].split(".")[1]) for u in page["items"]]
            after = page["next"] if page["items"] else None
        return units

    def unit(self, index):
        """One unit with its attempts and its history."""
        return self.grid.get(f"/v1/units/{self.id}.{index}")

    def save(self, folder, name="{unit}/{path}"):
        """The answers there are as files of a folder; what is there already and right is left alone. The paths."""
        paths = []
        for result in self.results(follow=False):
            for path, output in result.outputs.items():
                to = Path(folder) / name.format(unit=result.unit, index=result.index, path=path)
                if not to.resolve().is_relative_to(Path(folder).resolve()):
                    raise ValueError(f"{name!r} leads out of {folder}: {to}")
                to.parent.mkdir(parents=True, exist_ok=True)
                output.save(to)
                paths.append(to)
        return paths

    def provenance(self, file):
        """How it came to its answers, for `dugnad verify`; when it is done."""
        at, units = 0, self.status()["units"]
        with open(file, "wb") as f:
            f.write(_compact({"project": self.grid.get("/v1/project")}) + b"\n")
            while at < units:
                page = self.grid.ask("GET", f"/v1/batches/{self.id}/provenance?from={at}")[2]
                if page.count(b"\n") < 2:
                    raise GridError("conflict", f"batch {self.id} is not done: its provenance is complete when it is")
                f.write(page)
                at += page.count(b"\n") - 1

    def explain(self):
        return self.grid.get(f"/v1/batches/{self.id}/explain")["text"]

    def failures(self):
        return self.grid.get(f"/v1/batches/{self.id}/failures")["items"]

    def results(self, after=0, follow=True, progress=False):
        """Results in the order in which they become final. follow: until the batch is complete."""
        seen = 0
        while True:
            wait = 30 if follow else 0
            page = self.grid.get(f"/v1/batches/{self.id}/results?after={after}&limit=500&wait_s={wait}")
            for item in page["items"]:
                seen += 1
                yield Result(self.grid, item)
            after = page["next"]
            if progress:
                self._show(seen, page["complete"])
            if page["complete"] or (not follow and not page["items"]):
                return

    def _show(self, seen, complete):
        units = max(self.status()["units"], 1)
        share = min(seen / units, 1.0)
        bar = "#" * int(share * 30)
        print(f"\r[{bar:30}] {seen} of {units} units", end="\n" if complete else "", file=sys.stderr, flush=True)

    def wait(self, progress=False):
        """Until every unit has its outcome; the batch's status then."""
        for _ in self.results(progress=progress):
            pass
        return self.status()


class Result:
    """One unit's outcome: vars, outputs by path, failure (None where there is an answer)."""

    def __init__(self, grid, item):
        self.unit, self.seq, self.vars = item["unit"], item["seq"], item["vars"]
        self.index = int(self.unit.split(".")[1])
        self.failure = item.get("failure") if item["state"] == "failed" else None
        self.outputs = {o["path"]: Output(grid, o) for o in item["outputs"] or []}

    def __repr__(self):
        return f"<unit {self.unit}: {self.failure or ', '.join(self.outputs)}>"

    @property
    def output(self):
        """The only output."""
        if len(self.outputs) != 1:
            raise ValueError(f"unit {self.unit} has {len(self.outputs)} outputs: say which, as outputs[PATH]")
        return next(iter(self.outputs.values()))

    def bytes(self):
        return self.output.bytes()

    def text(self):
        return self.bytes().decode()

    def json(self):
        return json.loads(self.bytes())


class Output:
    def __init__(self, grid, item):
        self._grid, self._data = grid, item.get("data")
        self.path, self.sha256, self.size = item["path"], item["sha256"], item["bytes"]

    def bytes(self):
        """The content, checked against its digest."""
        data = base64.b64decode(self._data) if self._data is not None else \
            self._grid.ask("GET", f"/v1/blobs/{self.sha256}")[2]
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise GridError("untrusted", f"{self.path} is not what its digest names")
        return data

    def text(self):
        return self.bytes().decode()

    def save(self, path):
        """Whole or not at all; a file that is there and right is left alone."""
        path = Path(path)
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256:
            return
        part = path.with_name(path.name + ".part")
        part.write_bytes(self.bytes())
        part.replace(path)
