"""Graphs: stages that take the answers of others, made on the server as those become final."""

import json
import os
import time
import xml.etree.ElementTree

import pytest

import graph_rounds
from grid import compact, eventually


def stage(grid, app="say", lines=None, array=None, command=("{}",), name="", api=None, rules=None, **how):
    """A batch that is a stage: the words of "stage" by name."""
    api = api or grid.api
    body = dict(app=app, command=list(command), name=name, stage=how,
                rules=rules or dict(policy="once", min_quorum=1, target_attempts=1, deadline_ms=600000))
    if array:
        body["array"] = dict(first=0, last=array - 1)
    batch = api.post("/v1/batches", body, key=os.urandom(8).hex())["batch"]
    if lines is not None:
        api.post(f"/v1/batches/{batch}/units?first=0", "".join(compact({"vars": {"": x}}) + "\n" for x in lines))
        api.post(f"/v1/batches/{batch}/close")
    return batch


def graph(grid, batch):
    return {x["batch"]: x for x in grid.api.get(f"/v1/batches/{batch}/graph")["stages"]}


def spec(unit):
    return json.loads(unit["spec"])


def files(unit):
    """path -> digest"""
    return {x["path"]: x["sha256"] for x in spec(unit)["inputs"]}


def take_one(host, seconds=10):
    return eventually(lambda: host.take(1), seconds, what="a unit comes")


def work_until(grid, host, batches, say, seconds=60, fail=None):
    """Answers whatever comes until all are over; how often each unit was run."""
    runs = {}
    end = time.monotonic() + seconds
    while any(grid.status(b)["state"] not in ("done", "cancelled") for b in batches):
        assert time.monotonic() < end, [grid.status(b) for b in batches]
        came = host.take(200)
        reports = []
        for a, u in came.items():
            unit = a.rpartition(".")[0]
            runs[unit] = runs.get(unit, 0) + 1
            bad = fail and fail(unit, runs[unit])
            reports.append(host.error(a, "exit", exit_code=3) if bad else host.answer(a, say(u)))
        if reports:
            host.report(*reports)
        else:
            time.sleep(0.1)
    return runs


@pytest.fixture(scope="module", autouse=True)
def app(grid):
    grid.publish("dugnad-say")


@pytest.fixture
def host(grid):
    grid.cancel_all()
    return grid.host(f"g{os.urandom(4).hex()}")


def test_unit_by_unit_an_answer_becomes_an_input_as_soon_as_it_is_final(grid, host):
    first = stage(grid, lines=["a", "b"], name="first")
    second = stage(grid, each=first, name="second")
    attempt, unit = next(iter(host.take_all(2).items()))
    host.report(host.answer(attempt, "of " + unit["word"]))
    made = take_one(host)
    (name, got), = made.items()
    assert name.startswith(second + ".") and got["word"] == unit["word"], "it did not wait for the other one"
    assert files(got).keys() == {"out.txt"}
    assert grid.api.ask("GET", f"/v1/blobs/{files(got)['out.txt']}").body == ("of " + unit["word"]).encode()
    work_until(grid, host, [], str)
    held = [a for a in host.held]
    host.report(*(host.answer(a, "x") for a in held))
    work_until(grid, host, [first, second], lambda u: "y")
    assert grid.status(second)["accepted"] == 2
    shown = graph(grid, second)
    assert shown == graph(grid, first) and shown[second]["source"] == first and shown[second]["kind"] == "each"
    assert shown[second]["units_made"] and shown[second]["why"] == ""


def test_a_stage_waits_for_all_that_it_names(grid, host):
    one, two = stage(grid, lines=["1"]), stage(grid, lines=["2"])
    last = stage(grid, array=3, after=[one, two])
    assert graph(grid, last)[last]["state"] == "waiting"
    held = host.take_all(2)
    assert {a.split(".")[0] for a in held} == {one, two}
    host.report(host.answer(next(iter(held)), "x"))
    time.sleep(1.2)
    assert host.take(5) == {}
    host.report(*(host.answer(a, "x") for a in list(host.held)))
    work_until(grid, host, [last], lambda u: u["word"])
    assert grid.status(last)["accepted"] == 3


def test_answers_are_reduced_in_their_order_by_a_tree(grid, host):
    first = stage(grid, array=10)
    last = stage(grid, each=first, name="twice")
    end = stage(grid, reduce=last, file="out.txt", fan_in=3, command=["join", "{level}", "{last}"])

    def text(digest):
        return grid.api.ask("GET", f"/v1/blobs/{digest}").body.decode()

    def say(unit):
        if unit["attempt"].split(".")[0] != end:
            return f"{unit['word']}\n"
        return "".join(text(d) for p, d in sorted(files(unit).items()))

    runs = work_until(grid, host, [first, last, end], say)
    units = [u for u in runs if u.startswith(end + ".")]
    assert len(units) == 4 + 2 + 1
    answers = grid.answers(end)
    assert answers[f"{end}.6"] == "".join(f"{n}\n" for n in range(10))
    assert set(runs.values()) == {1}


def test_lines_of_an_answer_become_units(grid, host):
    first = stage(grid, lines=["a", "b", "none"])
    body = dict(app="say", command=["{}"], stage=dict(lines=first, file="out.txt"),
                rules=dict(policy="once", min_quorum=1, target_attempts=1, deadline_ms=600000))
    second = grid.api.post("/v1/batches", body)["batch"]

    def say(unit):
        if unit["attempt"].split(".")[0] == second:
            return unit["word"]
        return "" if unit["word"] == "none" else "".join(f"{unit['word']}{n}\n" for n in range(700))

    work_until(grid, host, [first, second], say)
    assert sorted(grid.answers(second).values()) == sorted(f"{x}{n}" for x in "ab" for n in range(700))


@pytest.mark.parametrize("failed, units", [("wait", 2), ("fail", 1), ("skip", 1)])
def test_what_needs_a_failed_unit_waits_or_ends_and_says_why(grid, host, failed, units):
    rules = dict(policy="once", min_quorum=1, target_attempts=1, max_error_attempts=0, deadline_ms=600000)
    first = stage(grid, lines=["good", "bad"], rules=rules)
    second = stage(grid, each=first, failed=failed)
    third = stage(grid, array=1, after=[first], failed=failed)
    bad = f"{first}.1"
    work_until(grid, host, [first], lambda u: "x", fail=lambda unit, n: unit == bad)
    if failed == "wait":
        eventually(lambda: f"dugnad retry {first}" in graph(grid, second)[second]["why"])
        eventually(lambda: f"dugnad retry {first}" in graph(grid, second)[third]["why"])
        grid.api.post(f"/v1/batches/{first}/retry")
    runs = work_until(grid, host, [first, second, third], lambda u: "x")
    stages = graph(grid, first)
    assert stages[second]["accepted"] == units
    assert stages[third]["state"] == ("cancelled" if failed == "fail" else "done")
    assert ("failed" in stages[second]["why"]) == (failed == "fail")
    assert all(n == 1 for n in runs.values())


def test_a_server_killed_again_and_again_makes_every_unit_once(grid, host):
    first = stage(grid, array=400)
    second = stage(grid, each=first)
    third = stage(grid, reduce=second, fan_in=20)
    seen = 0
    for _ in range(200):
        if grid.status(third)["state"] == "done":
            break
        came = host.take(60)
        if came:
            host.report(*(host.answer(a, u["word"]) for a, u in came.items()))
        seen += 1
        if seen in (3, 9, 14):
            grid.kill_server()
        if not came:
            time.sleep(0.1)
    stages = graph(grid, third)
    assert [stages[b]["accepted"] for b in (first, second, third)] == [400, 400, 20 + 1], stages


@pytest.mark.parametrize("how, status", [(dict(each="999"), 404), (dict(each="x"), 400), (dict(lines="1"), 400),
                                         (dict(each="1", reduce="1"), 400), (dict(reduce="1", fan_in=1), 400), (dict(what=1), 400),
                                         (dict(after=["1"] * 40), 413), (dict(after=[1]), 400), (dict(failed="never"), 400)])
def test_what_is_no_stage_is_refused(grid, how, status):
    reply = grid.api.ask("POST", "/v1/batches", dict(app="say", command=["{}"], stage=how))
    assert reply.status == status, reply.body


def test_a_stage_of_somebody_elses_batch_is_refused(grid):
    first = stage(grid, lines=["x"])
    ada = grid.user(f"ada{os.urandom(3).hex()}")
    ada.ask("POST", "/v1/batches", dict(app="say", command=["{}"], stage=dict(each=first))).refused(404, "missing")


def test_a_graph_in_five_stages_with_failures_ends_right_and_nothing_is_run_twice(grid, host):
    figures = graph_rounds.run(grid, lines=120, seconds=60)
    assert figures["units"] == 1 + 3 * 120 + 4 + 1 and figures["kills"] == 1
    first = grid.api.get("/v1/batches")["items"]
    first = max(int(b["batch"]) for b in first if b["name"] == "split")
    text = grid.dugnad("graph", first)
    assert text.split()[:2] == [str(first), "split"]
    assert "120/120" in text and "reduces" in text and max(map(len, text.splitlines())) <= 110
    dot, svg = grid.dugnad("graph", first, "--dot"), grid.dugnad("graph", first, "--svg")
    assert dot.startswith("digraph") and dot.count("->") == 5
    assert xml.etree.ElementTree.fromstring(svg).tag.endswith("svg") and svg.count("<rect") == 5
    assert len(json.loads(grid.dugnad("graph", first, "--json"))["stages"]) == 5


def test_what_was_given_up_is_listed_with_its_reason_and_goes_on_when_retried(grid, host):
    rules = dict(policy="once", min_quorum=1, target_attempts=1, max_error_attempts=0, deadline_ms=600000)
    batch = stage(grid, lines=["good", "bad"], rules=rules)
    for a, u in host.take_all(2).items():
        bad = u["word"] == "bad"
        host.report(host.error(a, "exit", exit_code=7, stderr="no such star\n") if bad else host.answer(a, "x"))
    text = grid.dugnad("dead", batch)
    assert text.startswith(f"{batch}.1") and "exit 7" in text and "no such star" in text and f"{batch}.0" not in text
    grid.dugnad("retry", batch, "--dead")
    work_until(grid, host, [batch], lambda u: "y")
    assert grid.status(batch)["accepted"] == 2 and grid.dugnad("dead", batch) == ""


@pytest.mark.parametrize("text, says", [("{", ""), ('{"stages":[]}', "no stages"), ('{"stages":[{"app":"say"}]}', "name"),
                                        ('{"stages":[{"name":"a","app":"say","each":"b"}]}', "no earlier stage"),
                                        ('{"stages":[{"name":"a","app":"say","command":["{}"]}]}', "one of units")])
def test_a_batch_file_that_is_wrong_is_refused_with_the_place(grid, text, says):
    path = grid.folder / "wrong.json"
    path.write_text(text)
    assert says in grid.dugnad("graph", "submit", path, status=2)
