"""Streams: published with plain HTTP, read by cursors and their members, tailed, consumed, fed to batches."""

import base64
import http.client
import json
import re
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from grid import BIN, Api, digest, eventually, unverified

CONF = dict(metrics_open="yes")


def publish(grid, stream, *bodies, api=None, group=None):
    query = f"?group={group}" if group else ""
    reply = (api or grid.api).ask("POST", f"/v1/streams/{stream}{query}", "\n".join(bodies), {"Content-Type": "application/x-ndjson"})
    return reply.ok()


def fetch(grid, stream, cursor, member="m", limit=100, wait=0, lease=30, api=None):
    path = f"/v1/streams/{stream}/records?cursor={cursor}&member={member}&limit={limit}&wait={wait}&lease={lease}"
    return (api or grid.api).get(path)["items"]


def ack(grid, stream, cursor, member="m", **what):
    return grid.api.post(f"/v1/streams/{stream}/cursors/{cursor}/ack", dict(member=member, **what))["acknowledged"]


def seqs(items):
    return [item["seq"] for item in items]


def bodies(items):
    return [item["body"] for item in items]


def test_what_is_published_is_read_in_order_by_number(grid):
    assert grid.api.ask("POST", "/v1/streams/plain", "one\n").ok() == dict(stream="plain", first=1, last=1)
    assert publish(grid, "plain", '{"n":2}', "", "drei, å") == dict(stream="plain", first=2, last=3)
    page = grid.api.get("/v1/streams/plain/records")
    assert bodies(page["items"]) == ["one", '{"n":2}', "drei, å"] and page["next"] == page["last"] == 3
    page = grid.api.get("/v1/streams/plain/records?after=1&limit=1")
    assert bodies(page["items"]) == ['{"n":2}'] and page["next"] == 2
    assert grid.api.get("/v1/streams/plain/records?after=3")["items"] == []


def test_a_publish_with_a_key_told_again_happens_once(grid):
    for status in (201, 200):
        reply = grid.api.ask("POST", "/v1/streams/keyed", "x", {"Idempotency-Key": "one"})
        assert reply.status == status and reply.json["last"] == 1
    grid.api.ask("POST", "/v1/streams/keyed", "y", {"Idempotency-Key": "one"}).refused(409, "conflict")


@pytest.mark.parametrize("body, status, code", [(b"", 400, "invalid"), (b"\xff", 400, "invalid"), (b"a\0b", 400, "invalid"),
                                                (b"x" * 16385, 413, "limit"), (b"x" * (2 << 20) + b"y", 413, "limit")])
def test_what_is_no_record_is_refused(grid, body, status, code):
    grid.api.ask("POST", "/v1/streams/bad", body).refused(status, code)


def test_names_and_numbers_are_checked(grid):
    publish(grid, "checked", "x")
    grid.api.ask("POST", "/v1/streams/UPPER", "x").refused(400, "invalid")
    grid.api.ask("POST", "/v1/streams/checked?group_by=line", "x", {"Content-Type": "application/x-ndjson"}).refused(400, "invalid")
    for query in ("limit=0", "limit=1001", "after=-1", "wait=61", "cursor=UPPER", "cursor=c&lease=100000", "cursor=c&member=a%20b"):
        grid.api.ask("GET", f"/v1/streams/checked/records?{query}").refused(400, "invalid")
    for body in (dict(first=-1, last=1), dict(first=2), dict(first=2, last=1), dict(seqs=[0]), dict(seqs="x"), dict(renew_s=0), dict(what=1),
                 dict(renew=[[2, 1]], renew_s=5), dict(renew=[1], renew_s=5), dict(renew=[[1, 2]])):
        grid.api.ask("POST", "/v1/streams/checked/cursors/c/ack", body).refused(400, "invalid")
    grid.api.ask("GET", "/v1/streams/nothing/records").refused(404, "missing")


def test_cursors_read_independently_and_members_of_one_share_it(grid):
    publish(grid, "shared", *map(str, range(10)))
    assert bodies(fetch(grid, "shared", "all")) == [str(n) for n in range(10)]
    assert seqs(fetch(grid, "shared", "group", "a", limit=4)) == [1, 2, 3, 4]
    assert seqs(fetch(grid, "shared", "group", "b", limit=4)) == [5, 6, 7, 8]
    assert ack(grid, "shared", "group", "a", first=1, last=2) == 2
    assert ack(grid, "shared", "group", "b", seqs=[6, 8]) == 2
    state = {c["cursor"]: c for c in grid.api.get("/v1/streams/shared")["cursors"]}
    assert (state["group"]["depth"], state["group"]["in_flight"], state["group"]["acknowledged"]) == (6, 4, 2)
    assert (state["all"]["depth"], state["all"]["in_flight"]) == (10, 10)
    assert ack(grid, "shared", "group", "b", release=True) == 0
    again = fetch(grid, "shared", "group", "c", limit=1)
    assert seqs(again) == [5] and again[0]["times"] == 2
    rows = {r["cursor"]: r for r in grid.api.get("/v1/streams?cursors=true")["items"] if r["stream"] == "shared"}
    assert rows["group"]["redelivered"] == 1 and rows["group"]["records"] == 10
    grid.login()
    stats = json.loads(grid.dugnad("stats", "--json"))
    assert {(r["cursor"], r["depth"]) for r in stats["streams"] if r["stream"] == "shared"} == {(k, r["depth"]) for k, r in rows.items()}
    assert re.search(r"^shared +group ", grid.dugnad("stats"), re.M)
    assert abs(rows["group"]["oldest_ms"] - time.time() * 1000) < 60000


def test_what_a_dead_member_had_comes_back_while_somebody_waits(grid):
    publish(grid, "dead", "x")
    assert seqs(fetch(grid, "dead", "c", "one", lease=1)) == [1]
    began = time.monotonic()
    assert seqs(fetch(grid, "dead", "c", "two", wait=10)) == [1]
    assert 0.5 < time.monotonic() - began < 5


def test_a_member_that_renews_keeps_what_it_names_and_nothing_else(grid):
    publish(grid, "renewed", "a", "b", "c")
    assert [seqs(fetch(grid, "renewed", "c", "one", limit=1, lease=1)) for _ in range(3)] == [[1], [2], [3]]
    ack(grid, "renewed", "c", "one", renew=[[1, 1], [3, 3]], renew_s=30)
    assert seqs(fetch(grid, "renewed", "c", "two", wait=10)) == [2]  # as if its reply had been lost
    assert fetch(grid, "renewed", "c", "two") == []


def test_consumers_that_come_in_the_moment_in_which_their_stream_is_made_are_answered(grid):
    names, together, answers = [f"moment-{i}" for i in range(150)], threading.Barrier(6, timeout=60), []

    def come(member):
        api = Api(grid, grid.api.token)
        for name in names:
            together.wait()
            answers.append(fetch(grid, name, "c", member, api=api))
        api.close()

    members = [threading.Thread(target=come, args=(f"m{i}",)) for i in range(together.parties)]
    for member in members:
        member.start()
    for member in members:
        member.join(60)
    assert answers == [[]] * (len(names) * len(members))


def test_a_program_that_takes_longer_than_the_lease_keeps_its_record(grid, tmp_path):
    grid.login()
    publish(grid, "long", "a", "b")
    grid.dugnad("consume", "long", "--cursor", "c", "--lease", "1s", "--once", "--", "sh", "-c", f"sleep 2; cat >> {tmp_path}/log")
    assert (tmp_path / "log").read_text() == "a\nb\n"
    assert grid.api.get("/v1/streams/long")["cursors"][0]["redelivered"] == 0


def test_a_waiting_reader_is_told_at_once(grid):
    publish(grid, "told", "x")
    ack(grid, "told", "c", first=1, last=len(fetch(grid, "told", "c")))
    found = {}

    def wait(name, **more):
        api = Api(grid, grid.api.token)
        found[name] = (api.get("/v1/streams/told/records?after=1&wait=20")["items"] if name == "plain" else fetch(grid, "told", "c", wait=20, api=api),
                       time.monotonic())

    threads = [threading.Thread(target=wait, args=(name,)) for name in ("plain", "cursor")]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    published = time.monotonic()
    publish(grid, "told", "y")
    for thread in threads:
        thread.join()
    for items, at in found.values():
        assert bodies(items) == ["y"] and at - published < 1


def test_a_paused_stream_takes_and_gives_nothing_and_a_rewound_cursor_begins_again(grid):
    publish(grid, "paused", "a", "b")
    assert len(fetch(grid, "paused", "c")) == 2 and ack(grid, "paused", "c", first=1, last=2) == 2
    assert grid.api.post("/v1/streams/paused/pause", {})["paused"] is True
    publish(grid, "paused", "c")
    assert fetch(grid, "paused", "c") == []
    grid.api.post("/v1/streams/paused/resume", {})
    assert bodies(fetch(grid, "paused", "c")) == ["c"]
    grid.api.post("/v1/streams/paused/cursors/c/rewind", dict(seq=0))
    assert bodies(fetch(grid, "paused", "c")) == ["a", "b", "c"]
    grid.api.ask("POST", "/v1/streams/paused/cursors/c/rewind", dict(seq=4)).refused(400, "invalid")
    grid.api.ask("DELETE", "/v1/streams/paused/cursors/c").ok()
    assert grid.api.get("/v1/streams/paused")["cursors"] == []
    grid.api.ask("DELETE", "/v1/streams/paused").ok()
    grid.api.ask("GET", "/v1/streams/paused").refused(404, "missing")


def events(grid, path, headers="", count=1):
    """The first events of a stream of them, as (id, data)."""
    with socket.create_connection(("127.0.0.1", grid.port)) as raw, unverified().wrap_socket(raw) as link:
        link.settimeout(10)
        link.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {grid.api.token}\r\nAccept: text/event-stream\r\n{headers}\r\n".encode())
        text = b""
        while text.count(b"data: ") < count or not text.endswith(b"\n\n\r\n"):
            text += link.recv(65536)
        lines = [x for x in text.decode().split("\n") if x.startswith(("id: ", "data: "))]
        return [(int(a[4:]), json.loads(b[6:])) for a, b in zip(lines[::2], lines[1::2])]


def test_events_go_on_after_the_last_one_that_was_seen(grid):
    publish(grid, "events", "a", "b", "c")
    seen = events(grid, "/v1/streams/events/records", count=3)
    assert [(n, e["seq"], e["body"]) for n, e in seen] == [(1, 1, "a"), (2, 2, "b"), (3, 3, "c")]
    assert [n for n, _ in events(grid, "/v1/streams/events/records", "Last-Event-ID: 2\r\n", 1)] == [3]
    late = threading.Timer(0.5, publish, (grid, "events", "d"), dict(api=Api(grid, grid.api.token)))
    late.start()
    assert events(grid, "/v1/streams/events/records?after=3", count=1)[0][1]["body"] == "d"
    late.join()


def test_listeners_that_do_not_read_cost_little_and_lose_nothing(grid):
    """More than the sockets hold: it is read in gulps, while others go on."""
    def memory():
        return next(int(x.split()[1]) for x in Path(f"/proc/{grid.server.pid}/status").read_text().split("\n") if x.startswith("RssAnon"))

    def listen():
        link = unverified().wrap_socket(socket.create_connection(("127.0.0.1", grid.port)))
        link.settimeout(10)
        link.sendall(f"GET /v1/streams/slow/records HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {grid.api.token}\r\nAccept: text/event-stream\r\n\r\n".encode())
        time.sleep(0.5)
        return link

    for n in range(0, 10000, 500):
        publish(grid, "slow", *(f"{k} " + "x" * 1000 for k in range(n, n + 500)))
    first = listen()  # fills the cache of the thread's database, once
    before = memory()
    others = [listen() for _ in range(3)]
    assert publish(grid, "slow", "last")["last"] == 10001
    if "libasan" not in subprocess.run(["ldd", BIN / "dugnad-server"], stdout=subprocess.PIPE, text=True).stdout:  # keeps what is freed
        assert memory() - before < 1500, "KiB, for three that do not read"
    reply, ids = http.client.HTTPResponse(first), []
    reply.begin()
    while not ids or ids[-1] < 10001:
        line = reply.readline()
        ids += [int(line[4:])] if line.startswith(b"id: ") else []
    assert ids == list(range(1, 10002))
    for link in (first, *others):
        link.close()


def test_who_may_read_and_who_may_publish(grid):
    publish(grid, "mine", "a")
    other, viewer = grid.user("another scientist"), grid.user("a viewer", "viewer")
    owner = grid.user("an owner")
    publish(grid, "owned", "a", api=owner)
    assert publish(grid, "owned", "b", api=other)["last"] == 2
    other.ask("GET", "/v1/streams/owned/records").refused(404, "missing")
    other.ask("GET", "/v1/streams/owned/records?cursor=c").refused(404, "missing")
    other.ask("POST", "/v1/streams/owned/pause", {}).refused(404, "missing")
    assert "owned" not in [s["stream"] for s in other.get("/v1/streams")["items"]]
    assert bodies(viewer.get("/v1/streams/owned/records")["items"]) == ["a", "b"]
    viewer.ask("GET", "/v1/streams/owned/records?cursor=c").refused(403, "denied")
    viewer.ask("POST", "/v1/streams/owned", "x").refused(403, "denied")


def test_who_waits_for_the_rest_of_a_group_is_told_when_its_start_is_acknowledged(grid):
    publish(grid, "held", "a", group="g")
    assert seqs(fetch(grid, "held", "c", "one")) == [1]
    publish(grid, "held", "b", group="g")
    found = []
    api = Api(grid, grid.api.token)
    waiter = threading.Thread(target=lambda: found.extend(fetch(grid, "held", "c", "two", wait=20, api=api)))
    began = time.monotonic()
    waiter.start()
    time.sleep(0.3)
    assert not found and ack(grid, "held", "c", "one", first=1, last=1) == 1
    waiter.join()
    assert bodies(found) == ["b"] and time.monotonic() - began < 5


def test_the_first_word_of_a_line_can_be_its_group(grid):
    grid.login()
    grid.dugnad("publish", "words", "--group-by-word", stdin="".join(f"w{n // 3} {n % 3}\n" for n in range(3000)))
    assert len(fetch(grid, "words", "c", limit=1)) == 3
    page = grid.api.get("/v1/streams/words/records?limit=2&after=2998")["items"]
    assert [(r["group"], r["body"]) for r in page] == [("w999", "w999 1"), ("w999", "w999 2")]
    assert len(fetch(grid, "words", "c", limit=100)) == 102


def test_no_series_of_the_metrics_comes_twice(grid):
    grid.api.ask("GET", "/v1/batches")
    grid.api.ask("POST", "/v1/batches", {})
    lines = Api(grid, grid.api.token).ask("GET", "/metrics").body.decode().splitlines()
    series = [line.rpartition(" ")[0] for line in lines if line and not line.startswith("#")]
    assert len(series) > 50 and any('method="POST",route="/v1/batches"' in x for x in series)
    assert len(series) == len(set(series)), {x for x in series if series.count(x) > 1}


def test_metrics_tell_of_each_cursor(grid):
    publish(grid, "measured", "a", "b", "c")
    fetch(grid, "measured", "c", limit=2)
    text = Api(grid, grid.api.token).ask("GET", "/metrics").body.decode()
    for line in ('records_total{stream="measured"} 3', 'depth{stream="measured",cursor="c"} 3', 'in_flight{stream="measured",cursor="c"} 2',
                 'redelivered_total{stream="measured",cursor="c"} 0', 'oldest_seconds{stream="measured",cursor="c"} '):
        assert f"dugnad_stream_{line}" in text


def test_nothing_of_a_stream_is_lost_when_the_server_is_killed(grid):
    publish(grid, "killed", "a", "b", "c")
    assert seqs(fetch(grid, "killed", "c", limit=2, lease=1)) == [1, 2]
    assert ack(grid, "killed", "c", first=1, last=1) == 1
    grid.kill_server()
    assert publish(grid, "killed", "d")["last"] == 4
    time.sleep(1.1)  # the lease ends
    got = fetch(grid, "killed", "c", "other", limit=1)
    assert seqs(got) == [2] and got[0]["times"] == 2
    assert seqs(fetch(grid, "killed", "c", "other")) == [3, 4]


# --- answers

def routes(*lines):
    return "".join(line + "\n" for line in lines).encode()


@pytest.fixture(scope="module")
def say(grid):
    """An app with an answer and a file that says where it goes; a host that says what the test wants."""
    grid.publish("dugnad-say", "say", "--output", "out.txt", "--output", "streams?")
    return grid.host("pc")


def batch(grid, units, **more):
    body = dict(app="say", command=["{}"], rules=dict(min_quorum=1, target_attempts=1), array=dict(first=0, last=units - 1), **more)
    number = grid.api.post("/v1/batches", body)["batch"]
    eventually(lambda: grid.api.get(f"/v1/batches/{number}")["units"] == units, what="the units are there")
    return number


def answer(host, attempt, data, route=None):
    """The report of an answer, with or without a file of routes."""
    files = [dict(path="out.txt", data=data)] + ([dict(path="streams", data=route)] if route is not None else [])
    outputs = [dict(path=f["path"], sha256=digest(f["data"]), bytes=len(f["data"]), data=base64.b64encode(f["data"]).decode()) for f in files]
    return host.report(dict(host.answer(attempt, data), outputs=outputs))


def test_an_answer_goes_to_the_streams_of_its_batch_once(grid, say):
    number = batch(grid, 3, streams=["hits", "all"])
    for attempt in list(say.take_all(3)):
        answer(say, attempt, attempt.encode())
        answer(say, attempt, attempt.encode())  # told twice
    for stream in ("hits", "all"):
        items = grid.api.get(f"/v1/streams/{stream}/records")["items"]
        assert sorted(r["unit"] for r in items) == [f"{number}.{n}" for n in range(3)] and seqs(items) == [1, 2, 3]
        for r in items:
            assert r["vars"] == {"": r["unit"].partition(".")[2]}
            assert base64.b64decode(r["outputs"][0]["data"]).decode().startswith(r["unit"])
            assert r["answer"] and "body" not in r


def test_an_answer_routes_itself_by_the_item_or_as_a_whole(grid, say):
    batch(grid, 1)
    (attempt,) = say.take_all(1)
    answer(say, attempt, b"x", routes("odd\t1", "even\t2", "odd\t3", "", "whole"))
    items = grid.api.get("/v1/streams/odd/records")["items"]
    assert bodies(items) == ["1", "3"] and items[0]["unit"] == items[1]["unit"] == grid.api.get("/v1/streams/whole/records")["items"][0]["unit"]
    assert bodies(grid.api.get("/v1/streams/even/records")["items"]) == ["2"]
    assert "outputs" in grid.api.get("/v1/streams/whole/records")["items"][0]


def test_a_wrong_file_of_routes_ends_the_attempt_and_says_which_line(grid, say):
    number = batch(grid, 1)
    (attempt,) = say.take_all(1)
    answer(say, attempt, b"x", routes("fine", "Not A Name\tx"))
    ended = grid.api.get(f"/v1/units/{number}.0")["attempts"][0]
    assert ended["error"] == "output" and "line 2" in ended["message"]
    grid.api.post(f"/v1/batches/{number}/cancel")


def test_a_batch_is_fed_from_a_stream_each_record_once_over_a_kill(grid, say):
    publish(grid, "source", *(f"r{n}" for n in range(20)))
    number = grid.api.post("/v1/batches", dict(app="say", command=["{}", "-"], rules=dict(min_quorum=1, target_attempts=1),
                                               from_stream=dict(name="source", records=1500)))["batch"]
    eventually(lambda: grid.api.get(f"/v1/batches/{number}")["units"] == 20, what="the first records are units")
    for n in range(20, 1600, 100):
        publish(grid, "source", *(f"r{k}" for k in range(n, min(n + 100, 1600))))
        if n == 620:
            grid.kill_server()
    eventually(lambda: grid.api.get(f"/v1/batches/{number}")["state"] == "running", what="it is closed after 1500 records")
    units = grid.api.pages(f"/v1/batches/{number}/units")
    assert len(units) == 1500
    for n in (0, 19, 620, 1499):
        assert grid.api.get(f"/v1/units/{number}.{n}")["vars"] == {"": f"r{n}"}
    grid.api.post(f"/v1/batches/{number}/cancel")
    eventually(lambda: not grid.api.get("/v1/streams/source")["cursors"], what="its cursor is gone")


def test_what_fits_no_unit_is_put_aside(grid, say):
    publish(grid, "mixed", '{"n":1,"name":"x"}', "no object", '{"n":2.5}')
    number = grid.api.post("/v1/batches", dict(app="say", command=["{n}"], rules=dict(min_quorum=1, target_attempts=1),
                                               from_stream=dict(name="mixed")))["batch"]
    eventually(lambda: grid.api.get(f"/v1/batches/{number}")["units"] == 2, what="two fit")
    assert grid.api.get(f"/v1/units/{number}.1")["vars"]["n"] == "2.5"
    unfit = grid.api.get(f"/v1/streams/batch-{number}.unfit/records")["items"]
    assert len(unfit) == 1 and json.loads(unfit[0]["body"])["seq"] == 2
    grid.api.ask("DELETE", "/v1/streams/mixed").refused(409, "conflict")
    grid.api.post(f"/v1/batches/{number}/close")
    grid.api.post(f"/v1/batches/{number}/cancel")


def test_a_pipeline_of_two_batches_ends_by_itself(grid, say):
    """The first one's answers are the second one's inputs."""
    grid.login()
    first = grid.dugnad("submit", "say", "--array", "1..5", "--quorum", "1", "--stream", "stage", "--", "{}").strip()
    second = grid.dugnad("submit", "say", "--from-stream", "stage", "--until-batch", first, "--quorum", "1", "--", "of {}").strip()
    for attempt in list(say.take_all(5)):
        answer(say, attempt, b"data of " + attempt.encode())
    attempts = list(say.take_all(5))
    assert sorted(grid.api.get(f"/v1/units/{second}.{n}")["inputs"][0]["path"] for n in range(5)) == ["out.txt"] * 5
    blob = grid.api.get(f"/v1/units/{second}.0")["inputs"][0]["sha256"]
    assert say.api.ask("GET", f"/v1/blobs/{blob}").body.startswith(b"data of ")
    for attempt in attempts:
        answer(say, attempt, b"y")
    grid.wait_done(int(second))
    assert grid.status(second)["units"] == 5


# --- the command line

def test_the_command_line_publishes_tails_and_consumes(grid, tmp_path):
    grid.login()
    grid.dugnad("publish", "lines", stdin="".join(f"line {n}\n" for n in range(2500)) + "no line feed at the end")
    assert grid.dugnad("tail", "lines", "-n", "2").split("\n") == ["line 2499", "no line feed at the end", ""]
    assert len(grid.dugnad("tail", "lines", "--after", "0").split("\n")) == 2502
    grid.dugnad("publish", "lines", "--whole", "--group", "g", stdin="two\nlines\n")
    assert json.loads(grid.dugnad("tail", "lines", "-n", "1", "--json"))["body"] == "two\nlines"
    grid.dugnad("consume", "lines", "--cursor", "copy", "--batch", "700", "--once", "--", "sh", "-c", f"cat >> {tmp_path}/copy")
    assert (tmp_path / "copy").read_text().split("\n")[:2500] == [f"line {n}" for n in range(2500)]
    assert json.loads(grid.dugnad("streams", "--json"))["items"]
    assert "copy" in grid.dugnad("streams")
    grid.dugnad("stream", "rewind", "lines", "copy", "--to", "2500")
    record = grid.dugnad("consume", "lines", "--cursor", "copy", "--record", "--once", "--", "cat").split("\n")
    assert [json.loads(x)["seq"] for x in record if x] == [2501, 2502]
    grid.dugnad("stream", "pause", "lines")
    assert grid.dugnad("consume", "lines", "--cursor", "new", "--once", "--", "cat") == ""
    grid.dugnad("stream", "rm", "lines", "new")
    grid.dugnad("stream", "rm", "lines")
    assert "no stream lines" in grid.dugnad("tail", "lines", status=4)


def test_a_program_gets_one_record_or_whole_groups(grid, tmp_path):
    grid.login()
    publish(grid, "sized", "a", "b", "c", group="g")
    publish(grid, "sized", "d", "e")
    for each, wanted in ((1, "1 1 1 1 1"), (2, "3 2")):
        grid.dugnad("consume", "sized", "--cursor", f"by-{each}", "--batch", each, "--once", "--", "sh", "-c", f"wc -l >> {tmp_path}/{each}")
        assert (tmp_path / str(each)).read_text().split() == wanted.split()


def test_a_record_whose_program_fails_comes_again_and_holds_back_its_group_only(grid, tmp_path):
    grid.login()
    publish(grid, "failing", "bad", "after bad", group="g")
    publish(grid, "failing", "good")
    program = f'read x; echo "$DUGNAD_TIMES $x" >> {tmp_path}/log; [ "$x" != bad ] || [ "$DUGNAD_TIMES" -gt 1 ]'
    words = ["consume", "failing", "--cursor", "c", "--retry", "1s", "--once", "-j", "2", "--", "sh", "-c", program]
    grid.dugnad(*words)
    assert sorted((tmp_path / "log").read_text().split("\n")) == ["", "1 bad", "1 good"]
    time.sleep(1.2)
    grid.dugnad(*words)
    assert (tmp_path / "log").read_text().split("\n")[2:] == ["2 bad", "2 after bad", ""]
    assert grid.api.get("/v1/streams/failing")["cursors"][0]["depth"] == 0


def test_consumers_that_are_killed_or_stopped_lose_nothing(grid, tmp_path):
    """The short form of stream_rounds.sh."""
    grid.login()
    done = subprocess.run([Path(__file__).parent / "stream_rounds.sh", "4000"], env={**grid.env, "DUGNAD": str(BIN / "dugnad"), "SERVER_PID": str(grid.server.pid)},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100)
    assert done.returncode == 0, done.stdout
