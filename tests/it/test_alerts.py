"""Alerts: a real mail server and a web hook on loopback are told when something is wrong and when it is over, once each."""

import email
import email.policy
import json
import re
import subprocess
import threading
import time
import xml.dom.minidom
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from aiosmtpd.controller import Controller

from grid import BIN, Grid, eventually, free_port


class Post:
    """A mail server that keeps what it gets; while `down`, it refuses."""

    def __init__(self):
        self.mails, self.down, self.refused = [], False, 0
        self.controller = Controller(self, hostname="127.0.0.1", port=free_port())
        self.controller.start()
        self.url = f"smtp://127.0.0.1:{self.controller.port}"

    async def handle_DATA(self, server, session, envelope):
        if self.down:
            self.refused += 1
            return "451 come back later"
        self.mails.append((envelope, email.message_from_bytes(envelope.content, policy=email.policy.default)))
        return "250 taken"

    def subjects(self):
        return [str(m["Subject"]) for _, m in self.mails]


class Hook:
    """A web server that keeps what is posted and counts what is asked."""

    def __init__(self):
        hook = self
        self.posts, self.beats = [], 0

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                hook.posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def do_GET(self):
                hook.beats += 1
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def notices(self, kind):
        return [n["notice"] for p in self.posts for n in p["notices"] if n["kind"] == kind]


@pytest.fixture(scope="module")
def post():
    made = Post()
    yield made
    made.controller.stop()


@pytest.fixture(scope="module")
def hook():
    made = Hook()
    yield made
    made.server.shutdown()


@pytest.fixture(scope="module")
def grid(tmp_path_factory, post, hook):
    conf = dict(mail_server=post.url, mail_from="grid@example.org", mail_to="ada@example.org, bo@example.org", alert_webhook=hook.url + "/alerts",
                heartbeat_url=hook.url + "/alive", heartbeat="1s", alert_wait="1s", alert_silence="2s", alert_repeat="1m")
    with Grid(str(tmp_path_factory.mktemp("alerts")), **conf) as running:
        yield running


def test_silence_is_told_once_by_mail_and_hook_and_so_is_its_end(grid, post, hook):
    grid.login()
    grid.publish("dugnad-say", "say")
    batch = grid.submit("say", lines=["a", "b"], quorum=1, policy="once")  # there is no client
    eventually(lambda: hook.notices("silence") == ["begins"], 20)
    eventually(lambda: post.mails, 20)
    envelope, mail = post.mails[0]
    assert envelope.rcpt_tos == ["ada@example.org", "bo@example.org"] and envelope.mail_from == "grid@example.org"
    assert "no answer was accepted" in mail["Subject"]
    assert "WRONG: no answer was accepted for" in mail.get_content() and "dugnad explain BATCH" in mail.get_content()
    assert [a["kind"] for a in grid.api.get("/v1/stats")["alerts"]] == ["silence"]
    assert any(f.get("kind") == "silence" and f["level"] == "error" for f in grid.api.get("/v1/health")["findings"])

    before = len(hook.posts)
    grid.server.kill()  # what was told is not told again by the next server
    grid.server.start()
    time.sleep(3)
    assert len(hook.posts) == before and hook.notices("silence") == ["begins"]

    grid.client("ada").join().start()
    grid.wait_done(batch, 40)
    eventually(lambda: hook.notices("silence") == ["begins", "ends"], 20)
    eventually(lambda: any("well again" in s for s in post.subjects()), 20)
    assert len([s for s in post.subjects() if "no answer" in s]) == 2


def test_what_a_mail_server_refuses_is_sent_when_it_is_well(grid, post):
    post.down = True
    sent = len(post.mails)
    for client in grid.processes:  # nobody computes any more
        client.end()
    batch = grid.submit("say", lines=["c"], quorum=1, policy="once")
    eventually(lambda: post.refused >= 1, 30)
    grid.server.kill()
    post.down = False
    grid.server.start()
    eventually(lambda: len(post.mails) > sent, 30)
    assert "no answer was accepted" in post.subjects()[sent]
    grid.dugnad("cancel", batch)


def test_the_heartbeat_beats(grid, hook):
    beats = hook.beats
    eventually(lambda: hook.beats >= beats + 2, 10)


def test_a_test_notice_goes_each_way_and_says_what_fails(grid, post, hook):
    mails, posts = len(post.mails), len(hook.posts)
    done = subprocess.run([BIN / "dugnad-server", "--data", grid.data, "test-alert"], text=True, capture_output=True)
    assert done.returncode == 0 and re.findall(r"^(mail|web hook|heartbeat) .*: sent$", done.stdout, re.M) == ["mail", "web hook", "heartbeat"], done
    assert len(post.mails) == mails + 1 and len(hook.posts) == posts + 1
    post.down = True
    done = subprocess.run([BIN / "dugnad-server", "--data", grid.data, "test-alert"], text=True, capture_output=True)
    post.down = False
    assert done.returncode != 0 and "mail" in done.stderr and "451" in done.stderr, done


def test_yesterday_is_reported_in_numbers_and_a_plot(grid, post):
    grid.server.end()
    book = grid.data / "alerts.json"
    kept = json.loads(book.read_text())
    now = time.time()
    today = time.strftime("%Y-%m-%d", time.localtime(now))
    assert kept["reported"] < today, "a new project has no yesterday to report"
    midnight = time.mktime(time.strptime(today, "%Y-%m-%d"))
    with open(grid.data / "history.ndjson", "w") as f:
        for minute in range(-1450, 0):
            f.write(json.dumps([int((midnight + 60 * minute) * 1000), 2 * (1450 + minute), 3, 1450 + minute, 4 * (1450 + minute), 500, 17]) + "\n")
    book.write_text(json.dumps(kept | dict(reported="2000-01-01")))
    sent = len(post.mails)
    conf = grid.data / "server.conf"
    conf.write_text(re.sub(r"^#report_hour = .*$", "report_hour = 0", conf.read_text(), flags=re.M))
    assert "\nreport_hour = 0\n" in conf.read_text()
    grid.server.start()
    eventually(lambda: any("units accepted" in s for s in post.subjects()[sent:]), 20)
    mail = next(m for _, m in post.mails[sent:] if "units accepted" in m["Subject"])
    text, plot = mail.iter_parts()
    said = text.get_content()
    said_plainly = re.sub(" +", " ", said)
    assert all(part in said_plainly for part in ("units accepted 2880", "25.0 % of them in errors", "PCs at once 17")), said
    assert len(re.findall(r"^\d\d █+ 120$", said, re.M)) == 24
    assert plot.get_content_type() == "image/svg+xml" and plot.get_filename() == "day.svg"
    drawn = xml.dom.minidom.parseString(plot.get_content())
    assert len(drawn.getElementsByTagName("rect")) == 25
    time.sleep(1)
    grid.server.kill()
    grid.server.start()
    time.sleep(2)
    assert len([s for s in post.subjects() if "units accepted" in s]) == 1


def test_a_scientist_is_mailed_when_a_batch_has_finished(grid, post):
    sent = len(post.mails)
    refused = grid.dugnad("submit", "say", "--notify", "mailto:two words@x", "--array", "1..2", "--", "{}", status=2)
    assert "is no mail address" in refused
    client = grid.client("carol").start()
    batch = grid.dugnad("submit", "say", "--quiet", "--policy", "once", "--name", "naïve", "--notify", "mailto:carol@example.org", "--array", "1..2", "--", "{}").strip()
    envelope, mail = eventually(lambda: next(((e, m) for e, m in post.mails[sent:] if f"batch {batch}" in m["Subject"]), None), 60)
    assert envelope.rcpt_tos == ["carol@example.org"] and mail["Subject"] == f"[test] batch {batch} naïve is done: 2 of 2 units accepted, 0 failed"
    assert f"dugnad results {batch} --out DIR" in mail.get_content()
    client.end()


def test_a_server_without_mail_says_so_at_once(tmp_path):
    with Grid(tmp_path) as grid:
        grid.login()
        grid.publish("dugnad-say", "say")
        assert "this server sends no mail" in grid.dugnad("submit", "say", "--notify", "mailto:a@b.org", "--array", "1..2", "--", "{}", status=2)
