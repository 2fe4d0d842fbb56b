"""A unit that is given up or tried again by hand, and a version of an app that is retired, while hosts hold work of them."""

import base64
import json
import os

import pytest

from test_graph import take_one


@pytest.fixture(scope="module", autouse=True)
def app(grid):
    grid.publish("dugnad-say")


def test_a_unit_that_is_given_up_is_recalled_and_its_late_answer_counts_for_nothing(grid):
    batch, host = grid.submit("say", array=2, quorum=1), grid.host("holder")
    held = host.take(2)
    first, second = sorted(held)
    grid.dugnad("cancel", f"{batch}.0")
    reply = host.work(held=list(held))
    assert reply["recall"] == [first] and grid.unit(f"{batch}.0")["state"] in ("failed", "delivered")
    assert host.report(host.answer(first, "too late\n"))[first]["code"] == "stale"
    assert host.report(host.answer(second, "1\n"))[second]["code"] == "ok"
    status = grid.wait_done(batch)
    assert (status["accepted"], status["failed"]) == (1, 1)
    assert sorted(r.get("failure", r["state"]) for r in grid.results(batch)) == ["accepted", "cancelled"]
    assert "it was cancelled" in grid.dugnad("explain", f"{batch}.0")


def test_a_unit_that_was_given_up_is_computed_when_it_is_tried_again(grid):
    batch, host = grid.submit("say", array=1, quorum=1), grid.host("again")
    grid.dugnad("cancel", f"{batch}.0")
    grid.wait_done(batch)
    assert host.work(want=1)["units"] == []
    grid.dugnad("retry", f"{batch}.0")
    assert grid.status(batch)["state"] == "running"
    attempt = next(iter(take_one(host)))
    assert host.report(host.answer(attempt, "0\n"))[attempt]["code"] == "ok"
    status = grid.wait_done(batch)
    assert (status["accepted"], status["failed"]) == (1, 0)


def test_units_of_before_and_after_a_batch_grew_come_in_one_reply_with_a_statement_each(grid):
    batch = grid.api.post("/v1/batches", dict(app="say", command=["{}"], rules=dict(policy="once")), key=os.urandom(8).hex())["batch"]
    host = grid.host("grows")

    def add(first, count):
        grid.api.ask("POST", f"/v1/batches/{batch}/units?first={first}", "".join(f'{{"vars":{{"":"{i}"}}}}\n' for i in range(first, first + count))).ok()

    def fields(pairs):
        assert len({key for key, _ in pairs}) == len(pairs), f"told twice: {[key for key, _ in pairs]}"
        return dict(pairs)
    add(0, 7)
    assert len(host.take(2)) == 2  # the statement of seven is made
    add(7, 7)
    body = dict(reports=[], held=list(host.held), want=dict(seconds=1e6, cores=4, units_max=12))
    reply = json.loads(host.api.ask("POST", "/v1/work", body).body, object_pairs_hook=fields)
    counts = {name: json.loads(base64.b64decode(envelope["payload"]))["count"] for name, envelope in reply["chunks"].items()}
    assert len(reply["units"]) == 12 and sorted(counts.values()) == [7, 14]
    assert all(unit["index"] < counts[unit["chunk"]] for unit in reply["units"])
    grid.dugnad("cancel", batch)


def test_a_retired_version_takes_no_new_batch_and_its_work_is_done(grid):
    grid.publish("dugnad-say", "old")
    batch, host = grid.submit("old", array=2, quorum=1), grid.host("late")
    held = host.take(1)
    grid.dugnad("app", "retire", "old", "1")
    refused = grid.dugnad("submit", "old", "--array", "1", "--", "{}", status=4)
    assert "old" in refused
    held.update(host.take(1))
    for attempt in held:
        assert host.report(host.answer(attempt, "done\n"))[attempt]["code"] == "ok"
    assert grid.wait_done(batch)["accepted"] == 2
    grid.publish("dugnad-say", "old", "--version", "2")
    assert grid.status(grid.dugnad("submit", "old", "--quiet", "--array", "1", "--", "{}").strip())["version"] == 2
