"""A client that is stopped or killed amid a long unit: its program goes on from what it has kept, once it runs again."""

import json
import time

import pytest

from grid import eventually

SAMPLES = 3_000_000_000  # some seconds
CONF = dict(contact="1s", contact_idle="1s")


@pytest.fixture(scope="module")
def pi(grid):
    grid.publish("apps/pi", "pi", "--output", "pi.json", "--checkpoint", "pi.state", "--sdk")
    return "pi"


def submit(grid, samples=SAMPLES, block=1):
    return grid.submit("pi", array=1, command=("--samples", str(samples), "--block", str(block)), quorum=1)


def status(client):
    done = client.call("status", "--json")
    return json.loads(done.stdout) if done.returncode == 0 else None


def progress(client):
    now = status(client)
    return now["running"][0].get("progress", 0) if now and now["running"] else 0


def wait_progress(client, least):
    return eventually(lambda: progress(client) if progress(client) >= least else None, 30, 0.05, f"progress of {least}")


def goes_on(grid, client, batch, before):
    client.start()
    after = wait_progress(client, 0.01)
    assert after > before * 0.9, f"it was at {before} and begins again at {after}"
    assert grid.wait_done(batch)["accepted"] == 1
    attempts = grid.attempts(f"{batch}.0")
    assert [x["state"] for x in attempts] == ["valid"], attempts
    answer = json.loads(grid.answers(batch)[f"{batch}.0"])
    assert answer["samples"] == SAMPLES
    return answer["hits"]


def test_stopped_it_keeps_what_it_has_and_goes_on_from_there(grid, pi):
    client = grid.client("stopped", cores=1).start()
    batch = submit(grid)
    before = wait_progress(client, 0.2)
    began = time.monotonic()
    assert client.end() == 0
    assert time.monotonic() - began < 6
    assert (client.data / "slots" / f"{batch}.0.0" / "pi.state").stat().st_size > 0
    hits = goes_on(grid, client, batch, before)
    assert not list((client.data / "slots").iterdir())
    client.end()
    undisturbed = grid.client("undisturbed", cores=1).start()
    batch = submit(grid)
    grid.wait_done(batch)
    assert json.loads(grid.answers(batch)[f"{batch}.0"])["hits"] == hits
    undisturbed.end()


def test_killed_it_loses_no_more_than_since_its_last_checkpoint(grid, pi):
    client = grid.client("killed", cores=1, idle_priority="no", checkpoint="1s").start()
    batch = submit(grid, block=2)
    slot = client.data / "slots" / f"{batch}.0.0"
    wait_progress(client, 0.3)
    assert (slot / "pi.state").stat().st_size > 0, "it was asked for checkpoints"
    client.kill()
    goes_on(grid, client, batch, 0.1)
    client.end()


def test_what_has_no_checkpoints_begins_anew_and_costs_no_attempt(grid):
    grid.publish("dugnad-say")
    client = grid.client("anew", cores=1).start()
    batch = grid.submit("say", lines=["word"], command=("{}", "--sleep", "2000"), quorum=1)
    eventually(lambda: (status(client) or {}).get("running"), 20, 0.05, "it runs")
    assert client.end() == 0
    assert not list((client.data / "slots").iterdir())
    client.start()
    assert grid.wait_done(batch)["accepted"] == 1
    assert [x["state"] for x in grid.attempts(f"{batch}.0")] == ["valid"]
    client.end()
