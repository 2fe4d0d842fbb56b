"""Hosts that lie, vanish, come late or say things twice. All of them are scripted: see Host in grid.py."""

import time

import pytest

from grid import Api, Host, eventually


@pytest.fixture(autouse=True)
def alone(grid):
    yield
    grid.cancel_all()


@pytest.fixture(scope="module", autouse=True)
def app(grid):
    grid.publish("dugnad-say")


def right(batch, count):
    return {f"{batch}.{i}": f"{i}\n" for i in range(count)}


def work_until_done(grid, batch, workers, seconds=40):
    """workers: (host, what it answers) each."""
    def step():
        for host, say in workers:
            host.work_off(say, most=7)
        return grid.status(batch)["state"] == "done"
    eventually(step, seconds, every=0.02, what=f"batch {batch} is done")


def honest(word):
    return f"{word}\n"


def test_wrong_answers_are_never_accepted_with_a_quorum_of_two(grid):
    batch = grid.submit("say", array=60)
    liar = grid.host("liar")
    workers = [(liar, lambda word: f"wrong {word}\n")] + [(grid.host(f"honest{i}"), honest) for i in range(3)]
    liar.work_off(lambda word: f"wrong {word}\n", most=30)  # some of its answers are the first that come
    work_until_done(grid, batch, workers)
    assert grid.answers(batch) == right(batch, 60)
    lies = [a for i in range(60) for a in grid.attempts(f"{batch}.{i}") if a.get("host") == liar.id]
    assert lies and {a["state"] for a in lies} <= {"invalid"}
    assert len(lies) >= 30


def test_liars_that_all_say_something_else_never_agree(grid):
    batch = grid.submit("say", array=1, max_error_attempts=6, max_total_attempts=6, max_success_attempts=6)
    for i in range(6):
        host = grid.host(f"liar{i}")
        eventually(lambda: host.work_off(lambda word: f"{i}\n") or grid.status(batch)["state"] == "done", 10)
    assert grid.wait_done(batch)["failed"] == 1
    assert grid.answers(batch) == {f"{batch}.0": None}


def test_an_answer_without_the_apps_outputs_or_with_others_is_an_error_of_its_host(grid):
    batch = grid.submit("say", array=1, quorum=1)
    liar = grid.host("strange")
    (attempt,) = liar.take_all(1)
    assert liar.report(Host.answer(attempt, "0\n", path="other-x"))[attempt]["code"] == "ok", "it is taken note of"
    told = grid.attempt(attempt)
    assert (told["state"], told["error"]) == ("errored", "output")
    assert "out.txt" in told["message"]
    work_until_done(grid, batch, [(grid.host("plain"), honest)])
    assert grid.answers(batch) == right(batch, 1)


def test_two_computers_of_one_owner_never_get_the_same_unit(grid):
    batch = grid.submit("say", array=20)
    first = grid.host("first")
    second = grid.host("second", volunteer_token=first.volunteer_token)
    assert second.volunteer == first.volunteer and second.id != first.id
    for _ in range(3):
        first.take(20), second.take(20)
    units = [a.rpartition(".")[0] for host in (first, second) for a in host.held]
    assert len(units) == 20 and len(set(units)) == 20
    reply = first.work(want=5)
    assert reply["units"] == [] and reply["reason"]["code"] == "same_owner", reply.get("reason")


def test_units_of_a_host_that_vanishes_are_given_to_others_after_the_deadline(grid):
    batch = grid.submit("say", array=10, deadline_ms=2500)
    gone, ada, bo = grid.host("gone"), grid.host("ada"), grid.host("bo")
    assert len(gone.take(10)) == 10
    ada.work_off(honest), bo.work_off(honest)
    assert grid.status(batch)["accepted"] == 0, "only one of two copies was left for the others"
    assert ada.work_off(honest) + bo.work_off(honest) == 0, "nothing is given out before the deadline"
    work_until_done(grid, batch, [(ada, honest), (bo, honest)], seconds=15)
    assert grid.answers(batch) == right(batch, 10)
    for i in range(10):
        (lost,) = [a for a in grid.attempts(f"{batch}.{i}") if a.get("host") == gone.id]
        assert lost["state"] == "expired"


def test_a_late_report_is_taken_and_nothing_is_delivered_twice(grid):
    batch = grid.submit("say", array=2, deadline_ms=1500)
    late, ada, bo = grid.host("late"), grid.host("ada"), grid.host("bo")
    held = late.take_all(2)
    time.sleep(1.6)
    work_until_done(grid, batch, [(ada, honest), (bo, honest)], seconds=15)
    answers = grid.answers(batch)
    good, bad = sorted(held)
    assert [x["code"] for x in late.report(Host.answer(good, f"{held[good]['word']}\n")).values()] == ["ok"]
    late.report(Host.answer(bad, "wrong\n"))
    assert grid.attempt(good)["state"] == "valid", "a straggler that agrees is right"
    assert grid.attempt(bad)["state"] != "valid"
    assert grid.answers(batch) == answers == right(batch, 2)


def test_a_late_report_of_an_open_unit_counts(grid):
    batch = grid.submit("say", array=1, deadline_ms=1200)
    late, ada = grid.host("late"), grid.host("ada")
    (attempt,) = late.take_all(1)
    eventually(lambda: grid.attempt(attempt)["state"] == "expired", 10)
    assert late.report(Host.answer(attempt, "0\n"))[attempt]["code"] == "ok"
    ada.work_off(honest)
    assert grid.wait_done(batch)["accepted"] == 1
    assert grid.attempt(attempt)["state"] == "valid"


def test_a_report_told_twice_counts_once(grid):
    batch = grid.submit("say", array=1)
    host, other = grid.host("twice"), grid.host("other")
    (attempt,) = host.take_all(1)
    report = Host.answer(attempt, "0\n")
    assert host.report(report, report)[attempt]["code"] == "ok"
    before = grid.unit(f"{batch}.0")
    assert host.report(report)[attempt]["code"] == "ok"
    assert grid.unit(f"{batch}.0") == before
    assert grid.status(batch)["accepted"] == 0, "two reports of one host are one answer"
    other.work_off(honest)
    assert grid.wait_done(batch)["accepted"] == 1
    after = grid.unit(f"{batch}.0")
    assert host.report(report)[attempt]["code"] == "ok"
    assert grid.unit(f"{batch}.0") == after and len(grid.results(batch)) == 1


def test_another_answer_than_before_is_stale_and_changes_nothing(grid):
    batch = grid.submit("say", array=1)
    host = grid.host("fickle")
    (attempt,) = host.take_all(1)
    host.report(Host.answer(attempt, "0\n"))
    before = grid.unit(f"{batch}.0")
    for second in (Host.answer(attempt, "1\n"), Host.error(attempt, "exit", exit_code=1)):
        ack = host.report(second)[attempt]
        assert ack["code"] == "stale" and len(ack["message"]) > 15, ack
    assert grid.unit(f"{batch}.0") == before


def test_a_unit_whose_reply_was_lost_is_given_again(grid):
    batch = grid.submit("say", array=3)
    host = grid.host("deaf")
    lost = host.work(want=3, held=[])["units"]  # as if this never came
    assert len(lost) == 3
    assert set(host.take(3, held=[])) == {u["attempt"] for u in lost}
    assert host.work(want=3)["units"] == []
    assert len({a["attempt"] for i in range(3) for a in grid.attempts(f"{batch}.{i}") if a.get("host") == host.id}) >= 1


def test_what_is_not_wanted_any_more_is_recalled(grid):
    batch = grid.submit("say", array=4)
    host = grid.host("recalled")
    held = set(host.take_all(4))
    grid.api.post(f"/v1/batches/{batch}/cancel")
    eventually(lambda: set(host.work()["recall"]) == held, 10, what="all four are recalled")
    report = Host.answer(sorted(held)[0], "0\n")
    assert host.report(report)[report["attempt"]]["code"] in ("ok", "stale")
    assert grid.status(batch)["accepted"] == 0


def test_a_paused_batch_gives_nothing_out_until_it_is_resumed(grid):
    batch = grid.submit("say", array=4)
    host = grid.host("patient")
    held = host.take_all(2)
    grid.dugnad("pause", batch)
    assert grid.status(batch)["state"] == "paused" and "pause" in grid.explain(batch)
    assert host.take(4) == {}
    acks = host.report(*(Host.answer(a, honest(u["word"])) for a, u in held.items()))
    assert [x["code"] for x in acks.values()] == ["ok", "ok"], "what is out is taken"
    grid.dugnad("resume", batch)
    assert eventually(lambda: host.take(4), 10)
    assert grid.status(batch)["state"] == "running"


def test_a_spare_copy_is_recalled_once_the_quorum_is_in(grid):
    batch = grid.submit("say", array=1, target_attempts=3)
    hosts = [grid.host(f"host{i}") for i in range(3)]
    for host in hosts:
        host.take_all(1)
    for host in hosts[:2]:
        host.report(*(Host.answer(a, "0\n") for a in list(host.held)))
    assert grid.wait_done(batch)["accepted"] == 1
    (spare,) = hosts[2].held
    hosts[2].work()
    assert hosts[2].report(Host.answer(spare, "0\n"))[spare]["code"] == "ok", "done anyway, it still gets its credit"
    assert grid.attempt(spare)["state"] == "valid"
    assert len(grid.results(batch)) == 1


def test_a_host_that_leaves_gives_everything_back_at_once(grid):
    batch = grid.submit("say", array=5)
    host, ada, bo = grid.host("leaver"), grid.host("ada"), grid.host("bo")
    held = host.take_all(5)
    host.work(leaving=True, held=[])
    for attempt in held:
        assert (grid.attempt(attempt)["state"], grid.attempt(attempt)["error"]) == ("errored", "returned")
    host.api.ask("POST", "/v1/work", {}).refused(401, "auth")
    work_until_done(grid, batch, [(ada, honest), (bo, honest)], seconds=15)
    assert grid.status(batch)["failed"] == 0


def test_a_deadline_is_moved_for_who_still_works(grid):
    batch = grid.submit("say", array=1, deadline_ms=2000)
    host = grid.host("slow")
    (attempt,) = held = host.take_all(1)
    for _ in range(4):
        time.sleep(0.8)
        (granted,) = host.work(renew=[attempt])["units"]
        assert granted["attempt"] == attempt and granted["deadline_ms"] > held[attempt]["deadline_ms"] and "spec" not in granted
    assert grid.attempt(attempt)["state"] == "leased"


def test_a_banned_host_gets_nothing_and_what_it_has_goes_to_others(grid):
    grid.submit("say", array=4)
    host = grid.host("banned")
    held = host.take_all(2)
    grid.api.post(f"/v1/hosts/{host.id}/ban", dict(reason="its answers are wrong"))
    reply = host.work(want=4)
    assert reply["units"] == [] and reply["reason"]["code"] == "banned"
    acks = host.report(*(Host.answer(a, honest(u["word"])) for a, u in held.items()))
    assert [x["code"] for x in acks.values()] == ["stale", "stale"]
    grid.api.post(f"/v1/hosts/{host.id}/unban")
    assert eventually(lambda: host.take(4), 10)


def test_all_of_it_is_there_after_a_crash(grid):
    """What was acknowledged before kill -9 is there after it: leases, reports, verdicts, deliveries."""
    batch = grid.submit("say", array=30)
    ada, bo = grid.host("ada"), grid.host("bo")
    ada.take_all(30), bo.take_all(30)
    done = sorted(ada.held)[:20]
    ada.report(*(Host.answer(a, honest(ada.held[a]["word"])) for a in done))
    bo.report(*(Host.answer(a, honest(bo.held[a]["word"])) for a in sorted(bo.held)[:10]))
    eventually(lambda: grid.status(batch)["delivered"] == 10)

    def all_of_it():
        status = {k: v for k, v in grid.status(batch).items() if k != "eta_ms"}
        return [grid.unit(f"{batch}.{i}") for i in range(30)], grid.results(batch), status
    before = all_of_it()
    grid.kill_server()
    assert all_of_it() == before
    assert ada.work()["recall"] == [] and bo.work(want=200)["units"] == []
    for host in (ada, bo):
        host.report(*(Host.answer(a, honest(u["word"])) for a, u in list(host.held.items())))
    assert grid.wait_done(batch)["accepted"] == 30
    assert grid.answers(batch) == right(batch, 30)
    assert Api(grid, ada.api.token).get("/v1/whoami")["kind"] == "host"
