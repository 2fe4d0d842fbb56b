"""Several servers of one project on one PostgreSQL, behind HAProxy: any of them answers, what one does the others know within a
stated time, and servers that are killed lose nothing and count nothing twice. tests/chaos/servers.sh is the long version."""

import http.client
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "chaos"))
import servers  # noqa: E402
from check import check  # noqa: E402
from fleet import Fleet  # noqa: E402
from grid import BIN, Api, Grid, Host, Process, digest, eventually  # noqa: E402

HEARD_S = 5    # of news at another server: half a second by server/members.h, and a busy machine
TOKEN_S = 5    # server/auth.h
DEAD_S = 5     # server/members.h: until others take over what a killed server had
SLACK_S = 15   # for a busy machine


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    with Fleet(tmp_path_factory.mktemp("fleet") / "grid", servers=3) as running:
        running.publish("dugnad-say", "say")
        yield running


@pytest.fixture(autouse=True)
def all_serve(fleet):
    for i, server in enumerate(fleet.servers):
        if not server.alive():
            server.start()
        fleet.wait_server(i)
    yield
    fleet.cancel_all()


def host_at(fleet, name, i):
    """A host that calls this server, and may be sent to another."""
    host = Host(fleet, name)
    host.api.close()
    go_to(fleet, host, i)
    return host


def go_to(fleet, host, i):
    host.api.close()
    host.api.grid = fleet.at(i).grid


def works(host):
    try:
        return host.api.once("POST", "/v1/work", dict(reports=[], held=list(host.held))).status == 200
    except (OSError, http.client.HTTPException):
        return False


def duties(fleet):
    """Number of the duty -> the server that has it."""
    return {d["number"]: d["server"] for d in fleet.api.get("/v1/servers")["duties"]}


def test_a_host_may_call_any_server_and_is_counted_once(fleet):
    batch = fleet.submit("say", array=1, quorum=1)
    host = host_at(fleet, "wanderer", 0)
    (attempt, unit), = host.take_all(1).items()
    go_to(fleet, host, 1)
    again = host.work(held=[], want=1)["units"]
    assert [u["attempt"] for u in again] == [attempt], "what it was given at one server is given again at another"
    answer = host.answer(attempt, unit["word"] + "\n")
    for i in (1, 2, 0):  # the acknowledgement was lost, twice
        go_to(fleet, host, i)
        ack, = host.work(reports=[answer])["acks"]
        assert ack["code"] == "ok", ack
    status = fleet.wait_done(batch)
    assert (status["reports"], status["valid"], status["accepted"]) == (1, 1, 1)
    told = [fleet.at(i).get(f"/v1/hosts/{host.id}")["valid"] for i in range(3)]
    assert told == [1, 1, 1]


def test_each_server_hands_out_units_and_none_twice(fleet):
    batch = fleet.submit("say", array=2000, quorum=1)  # more than few: blocks are claimed
    hosts = [host_at(fleet, f"many{i}", i % 3) for i in range(6)]

    def work(host):
        eventually(lambda: not host.take(50) and fleet.at(0).get(f"/v1/batches/{batch}")["unsent"] == 0, 60, what=f"{host.name} ends")
    threads = [threading.Thread(target=work, args=[h]) for h in hosts]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    found = [{a.rpartition(".")[0] for a in h.held} for h in hosts]
    assert sum(len(x) for x in found) == 2000 and len(set().union(*found)) == 2000, [len(x) for x in found]
    by_server = [sum(len(found[i]) for i in (k, k + 3)) for k in range(3)]
    assert min(by_server) > 100, f"each server has handed out some: {by_server}"


def test_who_waits_at_one_server_hears_what_is_done_at_another(fleet):
    batch = fleet.submit("say", array=1, quorum=1)
    host, heard = host_at(fleet, "teller", 0), []

    def wait():
        began = time.monotonic()
        page = fleet.at(2).get(f"/v1/batches/{batch}/results?after=0&wait_s=30")
        heard.append((time.monotonic() - began, page["items"]))
    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(1)  # it waits by now; if not, it finds the answer at once, and the test is none
    assert not heard
    host.work_off()
    waiting.join(40)
    seconds, items = heard[0]
    assert len(items) == 1 and seconds < 1 + HEARD_S, (seconds, items)


def test_hosts_that_wait_at_different_servers_get_what_is_submitted_at_one(fleet):
    hosts, took = [host_at(fleet, f"waits{i}", i) for i in range(3)], {}

    def wait(i):
        reply = hosts[i].work(want=1, wait_ms=30000)
        took[i] = (time.monotonic(), len(reply["units"]))
    threads = [threading.Thread(target=wait, args=(i,), daemon=True) for i in range(3)]
    for t in threads:
        t.start()
    time.sleep(2)
    assert not took
    began = time.monotonic()
    fleet.submit("say", array=30, quorum=1, api=fleet.at(0))
    for t in threads:
        t.join(20)
    assert [took[i][1] for i in range(3)] == [1, 1, 1], took
    assert max(at for at, _ in took.values()) - began < 1 + HEARD_S, (began, took)


def test_what_is_revoked_or_banned_at_one_server_is_so_at_the_others(fleet):
    user = fleet.user("leaver")
    token = user.get("/v1/tokens")["items"][0]["id"]
    for i in range(3):
        other = fleet.at(i)
        other.token = user.token
        assert other.ask("GET", "/v1/whoami").status == 200  # it is remembered there now
    assert fleet.at(0).ask("DELETE", f"/v1/tokens/{token}").status in (200, 204)
    other = fleet.at(1)
    other.token = user.token
    eventually(lambda: other.ask("GET", "/v1/whoami").status == 401, TOKEN_S + SLACK_S, what="the token is revoked at another server")
    fleet.submit("say", array=5, quorum=1)
    host = host_at(fleet, "cheat", 1)
    eventually(lambda: host.take(1), 10, what="it is given something")
    fleet.at(2).post(f"/v1/hosts/{host.id}/ban", dict(reason="a test"))
    reply = host.work(want=1)
    assert reply["units"] == [] and reply["reason"]["code"] == "banned", reply


def test_one_key_makes_one_batch_wherever_it_is_told(fleet):
    body = dict(app="say", command=["{}"], array=dict(first=0, last=4))
    made, threads = [], []
    for i in range(3):
        threads.append(threading.Thread(target=lambda i=i: made.append(fleet.at(i).post("/v1/batches", body, key="the-same")["batch"])))
        threads[-1].start()
    for t in threads:
        t.join()
    assert len(made) == 3 and len(set(made)) == 1, made


def test_what_a_killed_server_did_for_all_is_taken_over(fleet):
    eventually(lambda: len(set(duties(fleet).values())) == 3, 30, what="duties are shared out")
    places = {s["server"]: s["place"] for s in fleet.api.get("/v1/servers")["servers"]}
    dead = next(n for n, place in places.items() if place.endswith("server1"))
    assert dead in duties(fleet).values()
    fleet.kill(1)
    eventually(lambda: len(duties(fleet)) > 8 and dead not in duties(fleet).values(), DEAD_S + SLACK_S,
               what="the others have taken over the duties of the one that was killed")
    # Deadlines, delivery and judging go on without it.
    batch = fleet.submit("say", array=6, quorum=1)
    host = host_at(fleet, "after", 0)
    eventually(lambda: host.work_off() >= 0 and fleet.status(batch)["state"] == "done", 30, what="work goes on")


def test_while_the_database_is_away_everybody_is_asked_to_come_back(fleet):
    batch = fleet.submit("say", array=3, quorum=1)
    host = host_at(fleet, "patient", 0)
    held = host.take_all(3)
    fleet.postgres.ask("stop")
    try:
        for i in range(3):
            reply = fleet.at(i).once("GET", "/v1/batches")
            reply.refused(503, "busy")
            assert b"postgres" not in reply.body.lower() and b"/tmp" not in reply.body, "where the database is, is nobody's business"
        reply = host.api.once("POST", "/v1/work", dict(reports=[host.answer(a, u["word"] + "\n") for a, u in held.items()], held=[]))
        assert reply.status == 503 and int(reply.headers["retry-after"]) > 0, reply.body
        eventually(lambda: fleet.at(0, token=False).once("GET", "/readyz").status == 503, 10, what="the balancer is told that it is not ready")
    finally:
        fleet.postgres.ask("start")
    eventually(lambda: works(host), 30, what="it is well again")
    acks = host.report(*(host.answer(a, u["word"] + "\n") for a, u in held.items()))
    assert all(ack["code"] == "ok" for ack in acks.values()), acks
    assert fleet.wait_done(batch)["accepted"] == 3


def test_a_project_in_sqlite_is_not_for_two(tmp_path):
    with Grid(tmp_path / "grid", database="sqlite:project.db") as grid:
        made = subprocess.run([BIN / "dugnad-server", "--data", tmp_path / "second", "clone", grid.data], text=True, capture_output=True)
    assert made.returncode != 0 and "migrate --to postgres" in made.stderr, made.stderr
    assert not (tmp_path / "second").exists()


def test_servers_killed_at_random_lose_nothing_and_count_nothing_twice(tmp_path):
    args = servers.arguments(["--seconds", "8", "--clients", "1", "--reporters", "6", "--brief"])
    print(f"seed {args.seed}")
    records, counts = servers.run(tmp_path / "fleet", args, say=lambda what: None)
    print(counts)
    found = check(records)
    assert found.clean(), "\n".join([*found.sentences()[:20], str(counts), found.line(args.seed)])
    assert counts["kills"] > 0 and counts["units"] > 0


def test_what_is_stored_is_given_back_once_whoever_is_asked_and_how_many_are(fleet):
    made = fleet.api.post("/v1/users", dict(name="stores", role="scientist"))
    apis = [Api(fleet.at(i).grid, made["token"]) for i in range(3)]
    files = [os.urandom(1000 + n) for n in range(30)]
    for n, data in enumerate(files):
        reply = apis[n % 3].ask("PATCH", f"/v1/blobs/{digest(data)}", data, {"Upload-Offset": 0, "Upload-Length": len(data)})
        assert reply.status == 201
    inputs = [dict(path=f"{n}.txt", sha256=digest(data), bytes=len(data)) for n, data in enumerate(files[:3])]
    batch = apis[0].post("/v1/batches", dict(app="say", command=["{}"], inputs=inputs, array=dict(first=0, last=0)), key="stores")["batch"]
    freed = []
    threads = [threading.Thread(target=lambda api=api: freed.append(api.post("/v1/files/free")["bytes"])) for api in apis]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    needed = sum(len(data) for data in files[:3])
    assert sum(freed) == sum(len(data) for data in files[3:])
    stored = f"SELECT blob_bytes FROM account WHERE id = {int(made['id'])}"
    assert int(fleet.asked(stored)) == needed == apis[1].get("/v1/whoami")["blob_bytes"]
    assert {f["sha256"] for f in apis[2].pages("/v1/files")} == {i["sha256"] for i in inputs}
    apis[1].post(f"/v1/batches/{batch}/cancel", {})
    eventually(lambda: apis[2].ask("POST", f"/v1/batches/{batch}/purge", {}).status == 200)
    eventually(lambda: (apis[0].post("/v1/files/free"), int(fleet.asked(stored)) == 0)[1], 20)
    assert all(apis[0].ask("GET", f"/v1/blobs/{i['sha256']}").status == 404 for i in inputs)
    for api in apis:
        api.close()
