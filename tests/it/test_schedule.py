"""Schedules: batches that the server submits by itself, once for each time, also after it was down."""

import json
import os
import time

import pytest

from grid import eventually

RULES = dict(policy="once", min_quorum=1, target_attempts=1, deadline_ms=600000)
BATCH = dict(app="say", command=["{}"], name="timed", rules=RULES, array=dict(first=0, last=1))


@pytest.fixture(scope="module", autouse=True)
def app(grid):
    grid.publish("dugnad-say")


def now_ms():
    return int(time.time() * 1000)


def schedule(grid, api=None, batch=BATCH, **when):
    return (api or grid.api).post("/v1/schedules", dict(when, batch=batch), key=os.urandom(8).hex())["schedule"]


def state(grid, id):
    return next(x for x in grid.api.pages("/v1/schedules") if x["schedule"] == id)


def batches(grid):
    return [b for b in grid.api.pages("/v1/batches") if b["name"] == "timed"]


def test_a_batch_is_submitted_when_its_time_has_come_and_once(grid):
    before = len(batches(grid))
    id = schedule(grid, at_ms=now_ms() + 1000)
    assert state(grid, id)["state"] == "waiting"
    done = eventually(lambda: (s := state(grid, id))["state"] == "over" and s, 10)
    assert done["why"] == "" and grid.status(done["last_batch"])["name"] == "timed"
    grid.kill_server()
    time.sleep(1.5)
    assert len(batches(grid)) == before + 1


def test_of_what_was_missed_while_the_server_was_down_one_is_made_up_for(grid):
    before = len(batches(grid))
    id = schedule(grid, at_ms=now_ms() + 700)
    grid.server.kill()
    time.sleep(1)
    grid.server.start()
    grid.wait_ready()
    eventually(lambda: state(grid, id)["last_batch"] if "last_batch" in state(grid, id) else None, 10)
    assert len(batches(grid)) == before + 1


def test_a_schedule_is_made_listed_paused_and_deleted_at_the_command_line(grid):
    path = grid.folder / "batch.json"
    path.write_text(json.dumps(BATCH))
    id = grid.dugnad("schedule", "new", path, "--cron", "0 3 * * *").strip()
    assert state(grid, id)["next_ms"] % 86400000 == 3 * 3600000 and state(grid, id)["next_ms"] > now_ms()
    assert "0 3 * * *" in grid.dugnad("schedule", "ls")
    grid.dugnad("schedule", "pause", id)
    assert state(grid, id)["state"] == "paused"
    grid.dugnad("schedule", "resume", id)
    assert state(grid, id)["state"] == "waiting"
    grid.dugnad("schedule", "rm", id)
    assert all(x["schedule"] != id for x in grid.api.pages("/v1/schedules"))
    once = grid.dugnad("schedule", "new", path, "--at", "2038-01-01T12:30").strip()
    assert state(grid, once)["next_ms"] == 2145961800000
    grid.dugnad("schedule", "new", path, status=2)
    grid.dugnad("schedule", "new", path, "--at", "tomorrow", status=2)


def test_a_schedule_that_can_give_no_batch_says_why(grid):
    id = schedule(grid, batch=dict(BATCH, app="nothing"), at_ms=now_ms())
    assert "no app" in eventually(lambda: state(grid, id)["why"], 10)
    assert state(grid, id)["state"] == "over"


def test_schedules_are_their_users_own(grid):
    ada, bob = grid.user("ada"), grid.user("bob")
    id = schedule(grid, api=ada, cron="0 0 1 1 *")
    assert [x["schedule"] for x in ada.pages("/v1/schedules")] == [id] and bob.pages("/v1/schedules") == []
    bob.ask("DELETE", f"/v1/schedules/{id}").refused(404, "missing")
    bob.ask("PATCH", f"/v1/schedules/{id}", dict(paused=True)).refused(404, "missing")


@pytest.mark.parametrize("body", [dict(batch=BATCH), dict(cron="* * * *", batch=BATCH), dict(at_ms=0, batch=BATCH),
                                  dict(cron="* * * * *", at_ms=5, batch=BATCH), dict(cron="0 0 30 2 *", batch=BATCH), dict(at_ms=5),
                                  dict(at_ms=5, batch={k: v for k, v in BATCH.items() if k != "array"})])
def test_what_is_no_schedule_is_refused(grid, body):
    grid.api.ask("POST", "/v1/schedules", body).refused(400, "invalid")
