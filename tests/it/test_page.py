"""The local page of a real daemon: off until asked for, for its owner's browser alone, and what it changes happens."""

import http.client
import json
import os
import pty
import select
import socket
import stat
import time

from grid import BIN, eventually

CONF = dict(contact="1s", contact_idle="1s")


class Page:
    """Speaks as the page does, but for what a test says."""

    def __init__(self, client):
        done = client.call("page")
        assert done.returncode == 0, done.stderr
        self.link = done.stdout.strip()
        address, _, self.key = self.link.partition("/#k=")
        self.port = int(address.rpartition(":")[2])
        assert address.startswith("http://127.0.0.1:") and len(self.key) == 32

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"X-CSRF-Token": self.key, **{k.replace("_", "-"): v for k, v in headers.items()}}
        if method == "POST":
            headers = {"Origin": f"http://127.0.0.1:{self.port}", "Content-Type": "application/json", **headers}
        headers = {k: v for k, v in headers.items() if v is not None}
        connection.request(method, path, None if body is None else json.dumps(body).encode(), headers)
        reply = connection.getresponse()
        data = reply.read()
        connection.close()
        return reply.status, dict(reply.getheaders()), data

    def get(self, path):
        status, _, data = self.ask("GET", path)
        assert status == 200, data
        return json.loads(data)

    def post(self, path, body):
        status, _, data = self.ask("POST", path, body)
        assert status == 200, data
        return json.loads(data)


def test_the_page_is_for_its_owners_browser_alone(grid):
    client = grid.client("guarded").start()
    eventually(lambda: client.call("status").returncode == 0)
    page = Page(client)
    assert Page(client).link == page.link, "asked again, it is the same"
    assert page.key not in client.text(), "the key is in no log"
    status, headers, data = page.ask("GET", "/", X_CSRF_Token=None)
    assert status == 200 and b"<!doctype html>" in data
    assert "default-src 'self'" in headers["Content-Security-Policy"] and "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY" and "Access-Control-Allow-Origin" not in headers
    for path in ("/web/local/local.js", "/web/local/preferences.js", "/web/view.js", "/web/style.css"):
        assert page.ask("GET", path, X_CSRF_Token=None)[0] == 200, path
    assert page.ask("GET", "/web/app.js")[0] == page.ask("GET", "/v1/hosts")[0] == 404
    wish = {"command": "pause"}
    assert page.ask("GET", "/v1/status", X_CSRF_Token=None)[0] == 401
    assert page.ask("POST", "/v1/wish", wish, X_CSRF_Token="0" * 32)[0] == 401
    assert page.ask("GET", "/v1/status", Host=f"evil.example:{page.port}")[0] == 403
    assert page.ask("POST", "/v1/wish", wish, Origin="http://evil.example")[0] == 403
    assert page.ask("POST", "/v1/wish", wish, Origin=None)[0] == 403
    assert page.ask("POST", "/v1/wish", wish, Content_Type="text/plain")[0] == 400
    assert page.ask("OPTIONS", "/v1/wish")[0] == 405
    assert page.ask("POST", "/v1/wish", {"x": "y" * 20000})[0] == 413
    assert page.ask("GET", "/v1/status", X_Much="y" * 9000)[0] == 431
    assert page.get("/v1/status")["state"] != "paused", "none of them did anything"
    sockets = {os.readlink(f"/proc/{client.pid}/fd/{x}") for x in os.listdir(f"/proc/{client.pid}/fd")}
    rows = [x.split() for kind in ("tcp", "tcp6") for x in open(f"/proc/net/{kind}").read().splitlines()[1:]]
    ours = [x[1] for x in rows if x[3] == "0A" and f"socket:[{x[9]}]" in sockets]
    assert ours == [f"0100007F:{page.port:04X}"], "loopback only"
    client.end()


def test_slow_and_many_callers_keep_nobody_out_for_long(grid):
    client = grid.client("slow").start()
    eventually(lambda: client.call("status").returncode == 0)
    page = Page(client)
    slow = [socket.create_connection(("127.0.0.1", page.port)) for _ in range(20)]  # more than have a place
    for s in slow:
        s.sendall(b"GET /v1/status HTTP/1.1\r\nHost: ")
    began = time.monotonic()
    slow[0].settimeout(10)
    assert slow[0].recv(100).startswith(b"HTTP/1.1 408")
    assert 3 < time.monotonic() - began < 9
    assert client.call("status").returncode == 0
    for s in slow:
        s.close()
    assert eventually(lambda: page.ask("GET", "/v1/status")[0] == 200, 10)
    with open(f"/proc/{client.pid}/stat") as f:
        ticks = sum(map(int, f.read().rpartition(")")[2].split()[11:13]))
    assert ticks < 3 * os.sysconf("SC_CLK_TCK"), "waiting for them costs nothing"
    client.end()


def test_what_runs_is_shown_and_wishes_happen(grid):
    grid.publish("dugnad-say")
    client = grid.client("shown").start()
    batch = grid.submit("say", lines=["a", "b"], command=("{}", "--sleep", "20000"), quorum=1)
    eventually(lambda: client.call("status").returncode == 0)
    page = Page(client)
    run = eventually(lambda: page.get("/v1/status")["running"])[0]
    assert run["project"] == "test" and str(run["batch"]) == str(batch) and len(run["signers"]) >= 16 and run["signers_needed"] >= 1
    now = page.post("/v1/wish", {"command": "pause", "for_ms": 3600000})
    assert now["state"] == "paused" and now["projects"][0]["pause_left_ms"] > 3590000
    assert page.ask("POST", "/v1/wish", {"command": "pause", "project": "nobody"})[0] == 404
    assert page.ask("POST", "/v1/wish", {"command": "page"})[0] == 400
    assert page.post("/v1/wish", {"command": "resume", "project": "test"})["state"] != "paused"
    grid.cancel_all()
    client.end()


def test_preferences_are_checked_saved_and_used_at_once(grid):
    client = grid.client("choosy").start()
    eventually(lambda: client.call("status").returncode == 0)
    page = Page(client)
    conf = client.data / "client.conf"
    before = conf.read_text()
    assert {x["name"] for x in page.get("/v1/settings")} >= {"schedule", "cores", "on_battery", "shares"}
    assert all(x["help"] for x in page.get("/v1/settings"))
    for wrong in ({"cores": "many"}, {"schedule": "whenever"}, {"nothing": "1"}, {"grace": "1m\ncores = 4"}, {"cores": 4}):
        status, _, data = page.ask("POST", "/v1/settings", wrong)
        assert status == 400 and len(json.loads(data)["error"]["message"]) > 15, (wrong, data)
    assert conf.read_text() == before
    day = time.strftime("%a", time.localtime(time.time() + 3 * 86400))
    now = page.post("/v1/settings", {"schedule": f"{day} 00:00-24:00"})
    assert [x["value"] for x in now if x["name"] == "schedule"] == [f"{day} 00:00-24:00"]
    assert stat.S_IMODE(os.stat(conf).st_mode) == 0o600 and f"schedule = {day} 00:00-24:00" in conf.read_text()
    status = eventually(lambda: (lambda s: s if s["state"] == "waiting_for_owner" else None)(page.get("/v1/status")), 5)
    assert status["stopped_by"] == "schedule" and "Stands still" in status["sentence"]
    page.post("/v1/settings", {"schedule": ""})
    eventually(lambda: page.get("/v1/status")["stopped_by"] in ("none", "grace"), 5)
    client.end()


def test_what_was_given_is_counted_and_kept(grid):
    client = grid.client("giver").start()
    batch = grid.submit("say", lines=["a", "b"], quorum=1)
    grid.wait_done(batch)
    page = Page(client)
    given = lambda: sum(x["ok"] for x in page.get("/v1/history")["hours"])
    assert eventually(lambda: given() == 2, 5)
    assert client.end() == 0
    client.start()
    eventually(lambda: client.call("status").returncode == 0)
    page = Page(client)
    assert given() == 2
    client.end()


def test_the_same_is_in_a_terminal_and_as_text(grid):
    client = grid.client("watched").start()
    eventually(lambda: client.call("status").returncode == 0)
    plain = client.call("top")
    assert plain.returncode == 0 and "Projects\n  test:" in plain.stdout and "\x1b" not in plain.stdout
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(BIN / "dugnad-client", ["dugnad-client", "--data", str(client.data), "top"], {**os.environ, "TERM": "xterm"})
    shown = b""

    def read():
        nonlocal shown
        if select.select([terminal], [], [], 0.1)[0]:
            shown += os.read(terminal, 65536)
        return b"q quit" in shown and b"Projects" in shown
    try:
        eventually(read, 10)
        os.write(terminal, b"p")
        eventually(lambda: read() and b"Paused" in shown, 10)
        assert json.loads(client.call("status", "--json").stdout)["state"] == "paused"
        os.write(terminal, b"q")
    finally:
        time.sleep(0.2)
        os.close(terminal)
        assert os.waitpid(pid, 0)[1] == 0
    client.end()
    assert client.call("top").returncode == 4
