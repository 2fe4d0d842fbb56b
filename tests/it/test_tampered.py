"""Somebody who has the server's TLS key sits between it and a client, and changes what the client gets: nothing of that is ever run."""

import base64
import http.client
import http.server
import json
import ssl
import tempfile
import threading

import pytest

from grid import Grid, eventually, unverified


def as_it_is(method, path, body):
    return body


class Between:
    """Passes requests on; change(method, path, body) may change what comes back."""

    def __init__(self, grid, change=as_it_is):
        self.grid, self.change, between = grid, change, self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def pass_on(self):
                between.pass_on(self)

            do_GET = do_POST = do_HEAD = do_PATCH = do_DELETE = pass_on

            def log_message(self, *words):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(grid.data / "tls" / "certificate.pem", grid.data / "tls" / "key.pem")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.link = f"https://127.0.0.1:{self.server.server_address[1]}" + grid.link[len(grid.url):]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def pass_on(self, handler):
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length) if length else None
        upstream = http.client.HTTPSConnection("127.0.0.1", self.grid.port, context=unverified(), timeout=30)
        headers = {k: v for k, v in handler.headers.items() if k.lower() not in ("host", "connection", "content-length", "accept-encoding")}
        upstream.request(handler.command, handler.path, body, headers)
        reply = upstream.getresponse()
        data = reply.read()
        upstream.close()
        if handler.command == "HEAD":
            length = reply.getheader("Content-Length", "0")
        else:
            if 200 <= reply.status < 300:
                data = self.change(handler.command, handler.path, data)
            length = str(len(data))
        handler.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "date"):
                handler.send_header(name, value)
        handler.send_header("Content-Length", length)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(data)


@pytest.fixture(scope="module")
def grid():
    with tempfile.TemporaryDirectory(prefix="dugnad-it-") as folder, Grid(folder) as running:
        running.publish("dugnad-say")
        yield running


@pytest.fixture
def between(grid):
    """One that is in between, for a client that is yet to come."""
    one = Between(grid)
    yield one
    one.stop()


def in_json(which, edit):
    """Edits the JSON of the replies to paths that begin so."""
    def change(method, path, body):
        if not path.startswith(which):
            return body
        value = json.loads(body)
        edit(value)
        return json.dumps(value).encode()
    return change


def in_payload(envelope, **fields):
    payload = json.loads(base64.b64decode(envelope["payload"]))
    payload.update(fields)
    envelope["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()


def flipped(which):
    def change(method, path, body):
        if method == "GET" and path.startswith("/v1/blobs/") and which(len(body)):
            body = bytearray(body)
            body[len(body) // 2] ^= 1
        return bytes(body)
    return change


def evil_spec(reply):
    for unit in reply["units"]:
        if "spec" in unit:
            unit["spec"] = unit["spec"].replace("harmless", "evil")


def other_unit(reply):
    for unit in reply["units"]:
        unit["spec"] = unit["spec"].replace('"unit":"', '"unit":"1')


def evil_chunk(reply):
    for envelope in reply["chunks"].values():
        in_payload(envelope, order="0" * 64)


def unsigned_chunk(reply):
    for envelope in reply["chunks"].values():
        envelope["signatures"] = []


def evil_order(order):
    order["command"] = ["evil"]


def evil_release(envelope):
    payload = json.loads(base64.b64decode(envelope["payload"]))
    in_payload(envelope, manifest=dict(payload["manifest"], entry=["bin/evil"]))


CHANGES = {
    "what varies in a unit": in_json("/v1/work", evil_spec),
    "which unit it is": in_json("/v1/work", other_unit),
    "the statement over the units": in_json("/v1/work", evil_chunk),
    "the signature over the units": in_json("/v1/work", unsigned_chunk),
    "the order": in_json("/v1/orders/", evil_order),
    "the release": in_json("/v1/releases/", evil_release),
    "the bundle": flipped(lambda size: size > 100000),
    "an input": flipped(lambda size: size < 100),
}


@pytest.fixture(scope="module")
def cheated(grid):
    """A client for each change, all with a copy of the same unit; when all have ended: what -> (log, still alive, attempt)."""
    (grid.folder / "in").write_text("right\n")
    count = len(CHANGES)
    batch = grid.dugnad("submit", "say", "--each-line", "-", "--input", grid.folder / "in", "--quorum", 1, "--target", count, "--max-attempts",
                        count, "--max-errors", count, "--quiet", "--", "{}", "--read", "in", stdin="harmless\n").strip()
    betweens = [Between(grid, change) for change in CHANGES.values()]
    clients = [grid.client(f"client{i}", link=one.link).start() for i, one in enumerate(betweens)]
    eventually(lambda: all(a["state"] in ("errored", "valid", "cancelled") for a in grid.attempts(f"{batch}.0")), 40, what="all attempts end")
    by = {a["host"]: a for a in grid.attempts(f"{batch}.0") if "host" in a}
    hosts = [json.loads((c.data / "project.json").read_text())["host"] for c in clients]
    found = {what: (client.text(), client.alive(), by[host]) for what, client, host in zip(CHANGES, clients, hosts)}
    assert set(grid.answers(batch).values()) == {None}
    for one in betweens:
        one.change = as_it_is
    batch = grid.submit("say", lines=["fine"], quorum=count, max_total_attempts=count, max_success_attempts=count)
    assert grid.wait_done(batch)["accepted"] == 1, "all of them work on"
    for client, one in zip(clients, betweens):
        client.end()
        one.stop()
    return found


@pytest.mark.parametrize("what", CHANGES)
def test_what_was_changed_on_the_way_is_not_run(cheated, what):
    text, alive, attempt = cheated[what]
    assert (attempt["state"], attempt["error"]) == ("errored", "untrusted"), attempt
    assert len(attempt["message"]) > 15
    assert "started" not in text and alive


def forged_root(project):
    in_payload(project["root"][0], version=2)


def forged_server(project):
    in_payload(project["server_statement"], urls=["https://127.0.0.1:1"])


def no_server(project):
    del project["server_statement"]


def other_key(project):
    project["project_key"] = "0" * 64
    project["root"] = []


@pytest.mark.parametrize("edit", [forged_root, forged_server, no_server, other_key])
def test_a_client_does_not_join_a_project_that_cannot_prove_itself(grid, between, edit):
    between.change = in_json("/v1/project", edit)
    client = grid.client(edit.__name__, link=between.link)
    before = len(grid.api.pages("/v1/hosts"))
    done = client.call("join", client.link)
    assert done.returncode in (2, 9), (done.returncode, done.stderr)  # malformed, or not to be trusted
    assert len(done.stderr) > 30
    assert not (client.data / "project.json").exists()
    assert len(grid.api.pages("/v1/hosts")) == before
