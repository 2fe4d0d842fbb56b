"""What a scientist stores counts while it is stored, and is given back when nothing needs it any more: in a folder and in an object
store, whatever is killed when."""

import hashlib
import os
import random
import sqlite3
import threading
import time

import pytest

import postgres
from grid import Grid, eventually, set_conf
from s3 import S3
from test_s3 import get, head, put

LATER_MS = 4_000_000_000_000


@pytest.fixture(scope="module", params=["folder", "s3"])
def grid(request, tmp_path_factory):
    store = S3(tmp_path_factory.mktemp("s3")).start() if request.param == "s3" else None
    running = Grid(tmp_path_factory.mktemp("grid"), purged_kept="0s")
    if store:
        set_conf(running.data / "server.conf", **store.conf(running.data))
    try:
        with running:
            running.publish("dugnad-say")
            running.s3 = store
            yield running
    finally:
        if store:
            store.kill()


def fresh(bytes):
    data = os.urandom(16).hex().encode().ljust(bytes, b"q")
    return data, hashlib.sha256(data).hexdigest()


def sent(api, bytes=1000):
    data, name = fresh(bytes)
    assert put(api, data).status == 201
    return dict(path="in.txt", sha256=name, bytes=len(data))


def body(*inputs, **more):
    return dict(app="say", command=["{}"], inputs=list(inputs), rules=dict(min_quorum=1, target_attempts=1, deadline_ms=600000),
                array=dict(first=0, last=0), **more)


def submitted(api, *inputs):
    return api.post("/v1/batches", body(*inputs), key=os.urandom(8).hex())["batch"]


def purge(api, batch):
    api.post(f"/v1/batches/{batch}/cancel", {})
    eventually(lambda: api.ask("POST", f"/v1/batches/{batch}/purge", {}).status == 200, 20)


def stored(api):
    return api.get("/v1/whoami")["blob_bytes"]


def listed(api):
    return {f["sha256"]: f for f in api.pages("/v1/files")}


def is_there(grid, file):
    """Without asking for it with HEAD, which would keep it."""
    return get(grid.api, file["sha256"]).status == 200


def restart(grid, **conf):
    grid.server.end()
    set_conf(grid.data / "server.conf", **conf)
    grid.server.log.write_text("")
    grid.start()


def test_what_a_purged_batch_had_is_given_back_and_the_quota_is_free_again(grid):
    ada = grid.user("ada", blob_bytes_max=5000)
    one, two = sent(ada, 3000), sent(ada, 1000)
    assert stored(ada) == 4000
    batch, other = submitted(ada, one), submitted(ada, two)
    refused = put(ada, fresh(2000)[0])
    refused.refused(413, "limit")
    assert "dugnad files free" in refused.json["error"]["message"]
    assert {name: f["needed"] for name, f in listed(ada).items()} == {one["sha256"]: True, two["sha256"]: True}
    purge(ada, batch)
    eventually(lambda: stored(ada) == 1000, 15, what="the purged batch's input is given back")
    assert list(listed(ada)) == [two["sha256"]]
    assert not is_there(grid, one) and is_there(grid, two)
    assert put(ada, fresh(2000)[0]).status == 201
    purge(ada, other)
    eventually(lambda: stored(ada) == 2000, 15)


def test_what_a_purged_batch_had_is_kept_for_a_while_for_the_next_one(grid):
    sam = grid.user("sam")
    restart(grid, purged_kept="1h")
    file, soon = sent(sam), (time.time() + 3600) * 1000
    purge(sam, submitted(sam, file))
    found = eventually(lambda: not (f := listed(sam)[file["sha256"]])["needed"] and f, 15)
    assert abs(found["goes_ms"] - soon) < 300_000 and stored(sam) == 1000
    purge(sam, submitted(sam, file))  # without sending it again
    restart(grid, purged_kept="6s")  # purged before: an object store has said when it goes
    last = submitted(sam, file)
    purge(sam, last)
    eventually(lambda: stored(sam) == 0, 20, what="given back after its while")
    assert not is_there(grid, file)
    restart(grid, purged_kept="0s")


def test_what_nothing_needs_is_given_back_on_demand_and_the_rest_stays(grid):
    bo, eve = grid.user("bo"), grid.user("eve")
    who = bo.get("/v1/whoami")["id"]
    needed, unused = sent(bo), sent(bo, 700)
    submitted(eve, needed)  # another's batch needs it: who sent it is charged
    assert stored(eve) == 0
    eve.ask("GET", f"/v1/files?user={who}").refused(403, "denied")
    eve.ask("POST", f"/v1/files/free?user={who}").refused(403, "denied")
    shown = grid.dugnad("files", "ls", "--user", who)
    assert needed["sha256"] in shown and unused["sha256"] in shown
    found = {x["id"]: x for x in grid.api.pages("/v1/users")}[who]
    assert found["blob_bytes"] == 1700
    freed = bo.post("/v1/files/free")
    assert (freed["files"], freed["bytes"], freed["blob_bytes"]) == (1, 700, 1000)
    assert not is_there(grid, unused) and is_there(grid, needed)
    assert bo.post("/v1/files/free")["files"] == 0 and stored(bo) == 1000
    assert "0" in grid.dugnad("files", "free", "--user", who)
    assert any(x["action"] == "files.free" and x["subject"] == who for x in grid.api.pages("/v1/audit"))


def test_one_file_of_two_users_is_charged_to_both_and_given_back_to_each(grid):
    kim, lee = grid.user("kim"), grid.user("lee")
    data, name = fresh(500)
    assert put(kim, data).status == put(lee, data).status == 201
    assert put(kim, data).status == 201  # again: not twice
    assert stored(kim) == stored(lee) == 500
    kim.post("/v1/files/free")
    assert (stored(kim), stored(lee)) == (0, 500)
    assert head(lee, name).status == 200
    lee.post("/v1/files/free")
    assert stored(lee) == 0 and head(lee, name).status == 404


def test_unused_uploads_go_in_time_and_what_batches_and_schedules_need_does_not(grid):
    max = grid.user("max")
    unused, batch_file, cron_file, shared = sent(max, 100), sent(max, 200), sent(max, 300), sent(max, 400)
    batch = submitted(max, batch_file, dict(shared, path="two.txt"))
    later = max.post("/v1/schedules", dict(at_ms=LATER_MS, batch=body(cron_file, name="later")), key="later")["schedule"]
    leap = max.post("/v1/schedules", dict(cron="0 0 29 2 *", batch=body(shared)), key="leap")["schedule"]
    assert listed(max)[cron_file["sha256"]]["needed"] and listed(max)[unused["sha256"]]["goes_ms"] > time.time() * 1000 + 29 * 86400000
    restart(grid)
    time.sleep(1)
    assert stored(max) == 1000  # not yet
    if grid.s3:  # its time is given when it is sent
        restart(grid, unused_kept="1s")
        early = sent(max, 100)
    else:
        grid.server.end()
        early = None
    time.sleep(1.5)
    restart(grid, unused_kept="1s")
    eventually(lambda: not is_there(grid, early or unused), 15, what="the unused upload goes")
    restart(grid, unused_kept="30d")
    for file in (batch_file, cron_file, shared):
        assert is_there(grid, file) and listed(max)[file["sha256"]]["needed"]
    assert stored(max) == sum(f["bytes"] for f in listed(max).values())
    max.ask("DELETE", f"/v1/schedules/{leap}")
    purge(max, batch)
    eventually(lambda: not is_there(grid, shared) and not is_there(grid, batch_file), 15)
    assert is_there(grid, cron_file)
    max.ask("DELETE", f"/v1/schedules/{later}")
    eventually(lambda: not is_there(grid, cron_file), 15)
    eventually(lambda: stored(max) == sum(f["bytes"] for f in listed(max).values()), 15)


def test_a_schedule_keeps_what_only_a_purged_batch_had_until_it_has_fired(grid):
    pat, quinn = grid.user("pat"), grid.user("quinn")
    file = sent(pat)
    batch = submitted(pat, file)
    schedule = quinn.post("/v1/schedules", dict(at_ms=int(time.time() * 1000) + 6000, batch=body(file, name="fired")), key="q")["schedule"]
    purge(pat, batch)
    time.sleep(2)
    assert pat.post("/v1/files/free")["files"] == 0 and is_there(grid, file)
    fired = eventually(lambda: next(s for s in quinn.pages("/v1/schedules") if s["schedule"] == schedule).get("last_batch"), 20)
    assert is_there(grid, file)
    purge(quinn, fired)  # wakes the look: the schedule is over, and so nothing needs it
    eventually(lambda: not is_there(grid, file) and stored(pat) == 0, 15)


def test_a_number_that_is_wrong_is_put_right(grid):
    zoe = grid.user("zoe")
    who = zoe.get("/v1/whoami")["id"]
    sent(zoe, 900)
    grid.server.end()
    wrong(grid, who, 77)
    grid.start()
    assert stored(zoe) == 77
    eventually(lambda: stored(zoe) == 900, 30, what="the number is what is stored")
    zoe.post("/v1/files/free")
    assert stored(zoe) == 0


def wrong(grid, who, bytes):
    sql = f"UPDATE account SET blob_bytes = {bytes} WHERE id = {int(who)}"
    if grid.database:
        postgres.asked(grid.database, sql)
    else:
        with sqlite3.connect(grid.data / "project.db") as db:
            db.execute(sql)
        db.close()


def test_a_kill_at_any_moment_gives_nothing_back_twice_and_loses_nothing(grid):
    rex = grid.user("rex")
    kept = sent(rex, 123)
    live = submitted(rex, kept)
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            try:
                files = [sent(rex, 1000 + n) for n in range(3)]
                batch = submitted(rex, *[dict(f, path=f"{n}.txt") for n, f in enumerate(files)])
                purge(rex, batch)
            except Exception:
                time.sleep(0.05)  # the server is just dead

    thread = threading.Thread(target=busy)
    thread.start()
    for _ in range(6):
        time.sleep(random.uniform(0.2, 1.5))
        grid.kill_server()
    stop.set()
    thread.join()
    for batch in [b["batch"] for b in rex.pages("/v1/batches") if b["batch"] != live and not b.get("purged")]:
        rex.ask("POST", f"/v1/batches/{batch}/cancel", {})
        rex.ask("POST", f"/v1/batches/{batch}/purge", {})
    grid.kill_server()  # looks at once
    eventually(lambda: stored(rex) == sum(f["bytes"] for f in listed(rex).values()), 40, what="the number is what is stored")
    rex.post("/v1/files/free")
    eventually(lambda: list(listed(rex)) == [kept["sha256"]] and stored(rex) == 123, 40, what="only what is needed counts")
    assert is_there(grid, kept)
