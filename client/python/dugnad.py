"""Dugnad from Python: one file, only the standard library. Log in once with `dugnad login`; then

    import dugnad
    grid = dugnad.Grid()
    for answer in grid.map("pi", range(100), command=["--samples", "1000000", "--block", "{}"]):
        print(answer.text())

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

    def batch(self, number):
        return Batch(self, str(number))

    def batches(self):
        return self.get("/v1/batches?limit=100")["items"]

    def map(self, app, items, command=("{}",), *, progress=None, **more):
        """The answers of all items, in their order; raises UnitFailed for the first that has none."""
        batch = self.submit(app, items, command, **more)
        found = {}
        for result in batch.results(progress=sys.stderr.isatty() if progress is None else progress):
            if result.failure:
                raise UnitFailed(result)
            found[result.index] = result
        return [found[i] for i in sorted(found)]


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

    def pause(self):
        return self._do("pause")

    def resume(self):
        return self._do("resume")

    def retry(self):
        """All units that failed begin again."""
        return self._do("retry")

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
        Path(path).write_bytes(self.bytes())
