"""Failures are tried again as the batch's retry rules say: put off by their cause, given up early, remembered over a kill."""

import os
import time

import pytest

from grid import Grid, eventually
from test_graph import take_one

BASE = ("submit", "say", "--quiet", "--policy", "once", "--max-errors", "6")


@pytest.fixture(scope="module", autouse=True)
def app(grid):
    grid.publish("dugnad-say")


@pytest.fixture
def host(grid):
    grid.cancel_all()
    return grid.host(f"t{os.urandom(4).hex()}")


def fail_one(host, outcome="exit"):
    attempt = next(iter(take_one(host)))
    host.report(host.error(attempt, outcome, exit_code=3))
    return time.monotonic(), attempt


def test_the_next_attempt_waits_as_its_cause_says_and_a_kill_does_not_forget_it(grid, host):
    batch = grid.dugnad(*BASE, "--array", "1", "--retry", "program=2s", "--", "{}").strip()
    failed, first = fail_one(host)
    unit = grid.api.get(f"/v1/units/{batch}.0")
    assert unit["rest_until_ms"] > time.time() * 1000 and len(unit["attempts"]) == 1
    assert "next try" in grid.dugnad("show", f"{batch}.0")
    assert "put off" in grid.dugnad("explain", f"{batch}.0")
    grid.kill_server()
    attempt = next(iter(take_one(host)))
    assert time.monotonic() - failed > 1.9, "it came too early"
    host.report(host.answer(attempt, "x"))
    eventually(lambda: grid.status(batch)["state"] == "done", 10)
    assert "as it is stored" in grid.dugnad("replay", f"{batch}.0")


def test_other_causes_are_tried_again_at_once(grid, host):
    batch = grid.dugnad(*BASE, "--array", "1", "--retry", "program=10m", "--", "{}").strip()
    fail_one(host, "memory")
    assert "rest_until_ms" not in grid.api.get(f"/v1/units/{batch}.0")
    host.report(host.answer(next(iter(take_one(host))), "x"))
    eventually(lambda: grid.status(batch)["state"] == "done", 10)


def test_what_fails_the_same_everywhere_is_given_up_early(grid, host):
    batch = grid.dugnad(*BASE, "--array", "1", "--retry", "limit=:0", "--retry", "program=:1", "--", "{}").strip()
    fail_one(host)
    assert grid.status(batch)["failed"] == 0
    fail_one(host, "memory")
    eventually(lambda: grid.status(batch)["failed"] == 1, 10)
    assert grid.api.get(f"/v1/units/{batch}.0")["failure"] == "errors"
    assert f"{batch}.0" in grid.dugnad("dead", batch)


@pytest.mark.parametrize("text", ["program", "program=", "sometimes=1s", "program=1y", "program=1s:x", "program=2d", "program=1s:99"])
def test_a_rule_that_is_none_is_told_with_an_example(grid, text):
    said = grid.dugnad(*BASE, "--array", "1", "--retry", text, "--", "{}", status=2)
    assert "--retry" in said and ("30s:2" in said or "program (" in said), said


def test_a_batch_is_given_up_when_more_units_have_failed_than_it_bears(grid, host):
    batch = grid.dugnad("submit", "say", "--quiet", "--policy", "once", "--max-errors", "0", "--max-failed", "2", "--array", "1..50", "--", "{}").strip()
    eventually(lambda: grid.status(batch)["units"] == 50, 10)
    for failed in (1, 2):
        fail_one(host)
        assert grid.status(batch)["state"] == "running" and grid.status(batch)["failed"] == failed
    fail_one(host)
    status = eventually(lambda: (s := grid.status(batch))["state"] == "cancelled" and s["failed"] == 50 and s, 10)
    assert status["cancelled"] == 47
    assert "cancelled by itself: 3 of its units had failed, and it bears 2" in grid.dugnad("explain", batch)
    grid.kill_server()
    assert grid.status(batch)["state"] == "cancelled"
    grid.dugnad("retry", batch)
    eventually(lambda: host.work_off() == 0 and grid.status(batch)["state"] == "done", 30)
    assert grid.status(batch)["accepted"] == 50
    grid.api.ask("POST", "/v1/batches", dict(app="say", command=["{}"], policy=dict(max_failed="x"), array=dict(first=1, last=2))).refused(400, "invalid")


def test_where_every_host_has_failed_it_is_said_that_others_must_come(tmp_path):
    (tmp_path / "few").mkdir()
    with Grid(tmp_path / "few") as few:
        few.login()
        few.publish("dugnad-say")
        batch, hosts = few.submit("say", array=1, quorum=None), [few.host("one"), few.host("two")]
        for host in hosts:
            assert "None of these may have" not in few.explain(batch)
            fail_one(host)
        assert "2 attempts ended in an error: `dugnad failures" in few.explain(batch)
        for what in (batch, f"{batch}.0"):
            assert f"None of these may have unit {batch}.0" in few.explain(what)
        few.host("three").work()
        assert "None of these may have" not in few.explain(batch) + few.explain(f"{batch}.0")
