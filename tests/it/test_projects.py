"""One computer that works for two projects: joined while it runs, shares kept, one left without harm to the other."""

import json

import pytest

from grid import Grid, eventually

CONF = dict(contact="1s", contact_idle="1s")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    with Grid(tmp_path_factory.mktemp("other"), name="other", **CONF) as grid:
        yield grid


def status(client):
    def ask():
        done = client.call("status", "--json")
        return done.returncode == 0 and json.loads(done.stdout)
    return eventually(ask, 10)


def of(client, name):
    return next((p for p in status(client)["projects"] if p["project"] == name), None)


def sleepers(grid, units, ms):
    return grid.submit("say", lines=[f"w{i}" for i in range(units)], command=("{}", "--sleep", str(ms)), quorum=1)


def test_a_second_project_is_joined_while_the_daemon_runs_and_both_are_worked_for(grid, other):
    for g in (grid, other):
        g.publish("dugnad-say")
    client = grid.client("both", cores=2).start()
    eventually(lambda: status(client))
    done = client.call("join", other.link)
    assert done.returncode == 0 and "works for it" in done.stdout, done
    again = client.call("join", other.link)
    assert again.returncode == 5 and "joined other already" in again.stderr, again
    assert [p["project"] for p in status(client)["projects"]] == ["test", "other"]
    batches = [(g, sleepers(g, 6, 400)) for g in (grid, other)]
    eventually(lambda: {r["project"] for r in status(client)["running"]} == {"test", "other"}, 20, 0.02, "both run at once")
    for g, batch in batches:
        assert g.wait_done(batch)["accepted"] == 6
    assert client.restart() and eventually(lambda: status(client))
    assert len(status(client)["projects"]) == 2, "after kill -9 too"
    batch = sleepers(other, 2, 10)
    assert other.wait_done(batch)["accepted"] == 2
    client.end()


def test_cores_are_never_more_than_there_are_and_go_where_work_is(grid, other):
    client = grid.client("one-core", cores=1).start()
    assert client.call("join", other.link).returncode == 0
    sleepers(grid, 3, 300)
    batch = sleepers(other, 3, 300)
    seen = set()

    def done():
        running = [r for r in status(client)["running"] if not r["paused"]]
        assert len(running) <= 1, running
        seen.update(r["project"] for r in running)
        return other.status(batch)["accepted"] == 3
    eventually(done, 30, 0.02)
    assert seen == {"test", "other"}
    grid.cancel_all()
    client.end()


def test_wishes_may_be_for_one_project(grid, other):
    client = grid.client("choosy", cores=2).start()
    assert client.call("join", other.link).returncode == 0
    assert client.call("pause", "1h", "--project", "other").returncode == 0
    assert of(client, "other")["state"] == "paused" and of(client, "test")["state"] != "paused"
    waiting, batch = sleepers(other, 1, 10), sleepers(grid, 2, 10)
    assert grid.wait_done(batch)["accepted"] == 2 and other.status(waiting)["accepted"] == 0
    assert client.call("resume", "--project", of(client, "other")["id"]).returncode == 0
    assert other.wait_done(waiting)["accepted"] == 1
    assert client.call("finish", "--project", "test").returncode == 0
    eventually(lambda: of(client, "test")["state"] == "finished")
    assert client.alive() and of(client, "other")["state"] != "finished"
    assert client.call("resume", "--project", "test").returncode == 0
    batch = sleepers(grid, 1, 10)
    assert grid.wait_done(batch)["accepted"] == 1
    assert client.call("pause", "--project", "none").returncode == 4
    assert client.call("pause", "23:59").returncode == 0
    assert 0 < of(client, "test")["pause_left_ms"] <= 86400e3
    client.end()


def test_one_is_left_at_once_and_the_other_goes_on(grid, other):
    client = grid.client("leaver", cores=2).start()
    assert client.call("join", other.link).returncode == 0
    long = sleepers(other, 1, 60000)
    eventually(lambda: any(r["project"] == "other" for r in status(client)["running"]))
    assert client.call("leave", "--project", "other").returncode == 0
    eventually(lambda: not of(client, "other"))
    assert other.attempts(f"{long}.0")[0]["error"] == "returned", "given back at once"
    assert client.alive() and not list((client.data / "projects").iterdir())
    batch = sleepers(grid, 2, 10)
    assert grid.wait_done(batch)["accepted"] == 2
    other.cancel_all()
    assert client.call("join", other.link).returncode == 0, "it may come back"
    assert client.call("leave", "--project", "test").returncode == 0
    eventually(lambda: not of(client, "test"))
    assert not (client.data / "project.json").exists()
    batch = sleepers(other, 1, 10)
    assert other.wait_done(batch)["accepted"] == 1, "the first may go too"
    client.end()
    client.child = None
    assert client.call("leave").returncode == 0, "also without a daemon"
    assert client.call("status").returncode == 4
