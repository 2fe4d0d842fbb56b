"""Versions: which are about, clients that are too old, a new version of an app that reaches some hosts first and is stopped by itself when
it fails; a ban that says beforehand what it takes back."""

import json

import pytest

from grid import eventually

CONF = dict(rollout=0.5, alert_wait="0s")


@pytest.fixture(scope="module", autouse=True)
def app(grid):
    grid.publish("dugnad-say", "say")
    grid.publish("dugnad-say", "say", "--version", "2")


def version(grid, number):
    [found] = [v for v in grid.api.get("/v1/versions")["apps"] if (v["app"], v["version"]) == ("say", number)]
    return found


def test_a_new_version_begins_at_the_operators_share_and_the_first_one_is_for_all(grid):
    assert version(grid, 1)["share"] == 1 and version(grid, 2)["share"] == 0.5 and version(grid, 2)["base"] == 1
    assert grid.status(grid.submit("say", array=1, quorum=1))["version"] == 1  # nobody gets the new one without asking for it
    grid.cancel_all()


def test_it_reaches_a_share_of_the_hosts_and_is_stopped_by_itself_when_it_fails(grid):
    hosts = [grid.host(f"pc {n}") for n in range(12)]
    old = grid.submit("say", array=36, quorum=1)
    for host in hosts:
        host.work_off(most=3)
    grid.wait_done(old)
    new = grid.api.post("/v1/batches", dict(app="say", version=2, command=["{}"], array=dict(first=0, last=99),
                                            rules=dict(min_quorum=1, target_attempts=1, max_error_attempts=10, max_total_attempts=16, deadline_ms=600000)))["batch"]
    eventually(lambda: grid.status(new)["units"] == 100)
    assert "rolled out to 50 %" in grid.explain(new)
    reached, reasons = [], []
    for host in hosts:
        reply = host.work(want=1)
        if reply["units"]:
            reached.append((host, reply["units"][0]["attempt"]))
        else:
            reasons.append(reply["reason"])
    assert 1 < len(reached) < 12
    assert all("goes to 50 %" in r["message"] for r in reasons)
    for host, attempt in reached[:2]:  # two hosts, four attempts that crash
        host.work(reports=[host.error(attempt, "signal", signal=11)])
        more = host.work(want=1)["units"]
        if more:
            host.work(reports=[host.error(more[0]["attempt"], "exit", exit_code=3)])
    is_now = version(grid, 2)
    assert is_now["halted"] and "of version 1 0 of 36" in is_now["why"]
    assert "is stopped" in reached[2][0].work(want=5, held=[])["reason"]["message"] if len(reached) > 2 else True
    assert "is stopped" in grid.explain(new)
    grid.api.ask("POST", "/v1/batches", dict(app="say", version=2, command=["{}"], array=dict(first=0, last=1))).refused(409, "conflict")
    [entry] = [e for e in grid.api.get("/v1/audit?limit=20")["items"] if e["action"] == "rollout.halted"]
    assert entry["subject"] == "say 2" and entry["user"] is None
    def alerts():
        return [a for a in grid.api.get("/v1/stats")["alerts"] if a["kind"] == "rollout"]
    assert "say 2" in eventually(alerts, 20, what="the operator is told")[0]["what"]
    grid.kill_server()  # it is known though no host has asked since
    assert "say 2" in eventually(alerts, 20, what="the operator is told again")[0]["what"]
    said = grid.dugnad("versions")
    assert "STOPPED" in said
    grid.dugnad("app", "rollout", "say", "2", "50%")
    assert not version(grid, 2)["halted"]
    held = [h for h, _ in reached]
    for _ in range(40):
        for host in held:
            host.work_off(most=5)
    grid.dugnad("app", "rollout", "say", "2", "100%")
    assert version(grid, 2)["share"] == 1
    assert grid.status(grid.submit("say", array=1, quorum=1))["version"] == 2
    grid.cancel_all()


def test_an_operator_stops_a_version_by_hand(grid):
    grid.dugnad("app", "rollout", "say", "2", "stop", "--why", "wrong on Tuesdays")
    assert version(grid, 2)["why"] == "wrong on Tuesdays"
    assert grid.status(grid.submit("say", array=1, quorum=1))["version"] == 1
    for words in (("say", "2", "101%"), ("say", "2", "some"), ("say", "x", "1%")):
        grid.dugnad("app", "rollout", *words, status=4 if words[1] == "x" else 2)
    grid.dugnad("app", "rollout", "say", "9", "1%", status=4)
    grid.user("a scientist").ask("POST", "/v1/apps/say/versions/2", dict(share=1)).refused(403, "denied")
    grid.dugnad("app", "rollout", "say", "2", "100%")
    grid.cancel_all()


def test_versions_of_clients_and_the_protocol_are_counted(grid):
    client = grid.client("real").start()
    def counted():
        said = grid.api.get("/v1/versions")
        return said if len(said["clients"]) > 1 and said["protocols"] else None
    said = eventually(counted, 40, what="both versions are counted")
    assert {c["client"] for c in said["clients"]} == {"0.0.1", said["server"]} and said["protocols"][0]["protocol"] == 1
    assert sum(c["hosts"] for c in said["clients"]) == sum(p["hosts"] for p in said["protocols"])
    assert "protocol" in json.loads(grid.dugnad("versions", "--json"))["protocols"][0]
    client.end()


def test_a_client_that_is_too_old_is_told_so_and_what_it_has_done_is_taken(grid):
    host = grid.host("old")
    batch = grid.submit("say", array=4, quorum=1)
    [attempt] = host.take(1)
    grid.dugnad("versions", "--client-min", "0.1.0")
    reason = host.work(want=1)["reason"]
    assert reason["code"] == "version" and "version 0.0.1, the project needs 0.1.0" in reason["message"]
    assert host.report(host.answer(attempt, "0\n"))[attempt]["code"] == "ok"
    joining = grid.api.ask("POST", "/v1/hosts", dict(nickname="older", host=host.FACTS))
    assert "update dugnad-client" in joining.refused(501, "unsupported")
    grid.kill_server()
    assert host.work(want=1)["reason"]["code"] == "version"
    grid.api.ask("PATCH", "/v1/versions", dict(client_min="newest")).refused(400, "invalid")
    grid.api.ask("PATCH", "/v1/versions", dict(protocol_min=99)).refused(400, "invalid")
    grid.dugnad("versions", "--client-min", "")
    host.work_off()
    grid.wait_done(batch)


def test_a_ban_says_beforehand_what_it_takes_back_and_takes_it(grid):
    liar, good = grid.host("liar"), grid.host("good")
    batch = grid.submit("say", array=3, quorum=1)
    liar.take_all(3)
    said = grid.api.post(f"/v1/hosts/{liar.id}/ban", dict(dry_run=True))
    assert said["voids"]["leases"] == 3 and said["voids"]["units"] == [f"{batch}.{n}" for n in range(3)] and said["voids"]["provisional"] == 0
    assert not grid.api.get(f"/v1/hosts/{liar.id}")["banned"] and good.take(3) == {}
    assert "3" in grid.dugnad("host", "ban", "--dry-run", liar.id)
    grid.dugnad("host", "ban", liar.id, "--reason", "lies")
    assert {a["code"] for a in liar.work(reports=[liar.answer(a, "x\n") for a in liar.held])["acks"]} == {"stale"}
    good.work_off()
    grid.wait_done(batch)


def test_a_ban_voids_answers_that_are_not_final(grid):
    liar = grid.host("believed")
    batch = grid.submit("say", array=30, quorum=None, policy="adaptive", probation=0, audit_share=0.01, audit_floor=0.01, escrow_units=100)
    eventually(lambda: liar.work_off(say=lambda word: "lie\n") == 0 and grid.status(batch)["leased"] == 0, 20)
    before = grid.api.post(f"/v1/hosts/{liar.id}/ban", dict(dry_run=True))["voids"]
    if before["provisional"] == 0:
        pytest.fail(f"no answer is provisional: {grid.status(batch)}")
    grid.api.post(f"/v1/hosts/{liar.id}/ban", dict(reason="lies"))
    assert grid.api.post(f"/v1/hosts/{liar.id}/ban", dict(dry_run=True))["voids"]["provisional"] == 0
    assert grid.status(batch)["accepted"] == 0
    honest = [grid.host(f"honest {n}") for n in range(3)]
    def work():
        for host in honest:
            host.work_off()
        return grid.status(batch)["state"] == "done"
    eventually(work, 60, every=0.2, what="others do the work")
    assert all(answer == f"{unit.partition('.')[2]}\n" for unit, answer in grid.answers(batch).items())
