"""A re-run skips what has a valid answer: units of an earlier batch that asked the same give theirs, and nothing is sent."""

import json
import os
import re
import time

import pytest

from grid import digest, eventually
from test_graph import stage, work_until

RULES = dict(policy="once", min_quorum=1, target_attempts=1, max_error_attempts=3, deadline_ms=600000)


@pytest.fixture(scope="module", autouse=True)
def app(grid):
    grid.publish("dugnad-say")


@pytest.fixture
def host(grid):
    grid.cancel_all()
    return grid.host(f"r{os.urandom(4).hex()}")


def word():
    return "w" + os.urandom(6).hex()


def submit(grid, lines, **how):
    """The batch that these words make, with answers of before."""
    body = dict(app="say", command=["{}"], rules=RULES, reuse=True) | how
    return stage_of(grid, body, lines)


def stage_of(grid, body, lines, api=None):
    api = api or grid.api
    batch = api.post("/v1/batches", body, key=os.urandom(8).hex())["batch"]
    api.post(f"/v1/batches/{batch}/units?first=0", "".join(json.dumps({"vars": {"": x}}) + "\n" for x in lines))
    api.post(f"/v1/batches/{batch}/close")
    return batch


def test_only_what_is_new_is_computed(grid, host):
    a, b, c = word(), word(), word()
    first = submit(grid, [a, b])
    work_until(grid, host, [first], lambda u: "of " + u["word"])
    second = submit(grid, [b, c, a])
    runs = work_until(grid, host, [second], lambda u: "new " + u["word"])
    assert set(runs) == {f"{second}.1"}
    assert grid.answers(second) == {f"{second}.0": f"of {b}", f"{second}.1": f"new {c}", f"{second}.2": f"of {a}"}
    status = grid.status(second)
    assert (status["taken"], status["accepted"], status["attempts"]) == (2, 3, 1)
    unit = grid.api.get(f"/v1/units/{second}.0")
    assert unit["taken"] == f"{first}.1" and unit["attempts"][0]["state"] == "valid" and "host" not in unit["attempts"][0]
    assert re.search(rf"taken from +{first}\.1", grid.dugnad("show", f"{second}.0"))
    assert re.search(r"taken over +2", grid.dugnad("status", second))
    assert "as it is stored" in grid.dugnad("replay", f"{second}.0"), "its life can be replayed"


def test_nobody_need_be_there_when_all_is_known(grid, host):
    words = [word() for _ in range(30)]
    first = submit(grid, words)
    work_until(grid, host, [first], lambda u: u["word"])
    grid.kill_server()
    again = submit(grid, words)
    eventually(lambda: grid.status(again)["state"] == "done", 10)
    third = submit(grid, words)  # of answers that were taken themselves
    eventually(lambda: grid.status(third)["state"] == "done", 10)
    assert set(grid.answers(third).values()) == set(words)
    assert grid.status(third)["attempts"] == 0


def test_answers_that_are_files_and_not_only_words_are_taken(grid, host):
    a = word()
    big = a * 20000  # over what travels inside a report
    first = submit(grid, [a])
    attempt = next(iter(host.take_all(1)))
    host.api.ask("PATCH", f"/v1/blobs/{digest(big.encode())}?attempt={attempt}", big.encode(),
                 {"Upload-Offset": "0", "Upload-Length": str(len(big)), "Content-Type": "application/octet-stream"}).ok()
    report = host.answer(attempt, big)
    del report["outputs"][0]["data"]
    assert host.report(report)[attempt]["code"] == "ok"
    eventually(lambda: grid.status(first)["state"] == "done", 10)
    again = submit(grid, [a])
    eventually(lambda: grid.status(again)["state"] == "done", 10)
    grid.api.post(f"/v1/batches/{first}/purge")
    eventually(lambda: grid.status(first)["purged_files"], 20)
    time.sleep(0.5)
    assert grid.answers(again)[f"{again}.0"] == big, "it holds the file itself"


def test_what_differs_is_another_question(grid, host):
    a = word()
    first = submit(grid, [a])
    work_until(grid, host, [first], lambda u: u["word"])
    others = [submit(grid, [a], command=["{}", "x"]), submit(grid, [a], env={"LANG": "C"}),
              submit(grid, [a], rules=dict(RULES, policy="quorum")), submit(grid, [a], reuse=False)]
    for batch in others:
        assert grid.status(batch)["taken"] == 0, batch
    work_until(grid, host, others, lambda u: u["word"])
    same = submit(grid, [a], priority=7, name="another name", labels={"a": "b"})
    eventually(lambda: grid.status(same)["taken"] == 1, 5)


def test_answers_of_another_user_and_of_purged_batches_are_not_taken(grid, host):
    a = word()
    first = submit(grid, [a])
    work_until(grid, host, [first], lambda u: u["word"])
    other = grid.user(f"u{word()}")
    theirs = stage_of(grid, dict(app="say", command=["{}"], rules=RULES, reuse=True), [a], other)
    assert grid.status(theirs)["taken"] == 0
    grid.api.post(f"/v1/batches/{theirs}/cancel")
    grid.api.post(f"/v1/batches/{first}/purge")
    eventually(lambda: grid.status(first)["purged_files"], 20)
    anew = submit(grid, [a])
    assert grid.status(anew)["taken"] == 0
    work_until(grid, host, [anew], lambda u: u["word"])


def test_what_failed_is_computed_again(grid, host):
    a, b = word(), word()
    first = submit(grid, [a, b], rules=dict(RULES, max_error_attempts=0))
    work_until(grid, host, [first], lambda u: u["word"], fail=lambda unit, _: unit.endswith(".1"))
    again = submit(grid, [a, b])
    runs = work_until(grid, host, [again], lambda u: u["word"])
    assert set(runs) == {f"{again}.1"}


def test_an_array_from_the_command_line(grid, host):
    base = int(word()[1:], 16) % 10**9
    line = ("submit", "say", "--array", f"{base}..{base + 4}", "--policy", "once", "--reuse", "--quiet", "--", "{}")
    first = grid.dugnad(*line).strip()
    work_until(grid, host, [first], lambda u: u["word"])
    again = grid.dugnad(*line).strip()
    eventually(lambda: grid.status(again)["state"] == "done", 10)
    assert grid.status(again)["taken"] == 5
    assert "reuse" in grid.api.ask("POST", "/v1/batches", dict(app="say", command=["{}"], reuse=True, array=dict(first=1, last=2))) \
        .refused(400, "invalid")


def test_a_graph_that_is_run_again_computes_what_has_changed_and_what_needs_it(grid, host):
    def write(words):
        common = dict(app="say", command=["{}"], rules=RULES)
        path = grid.folder / "again.json"
        path.write_text(json.dumps(dict(stages=[
            dict(common, name="one", units=words), dict(common, name="two", each="one"),
            dict(common, name="all", reduce="two", fan_in=4, command=["sum", "{level}"])])))
        return path

    def say(unit):
        files = json.loads(unit["spec"])["inputs"]
        if not files:
            return f"<{unit['word']}>"
        texts = [grid.api.ask("GET", f"/v1/blobs/{x['sha256']}").body.decode() for x in sorted(files, key=lambda x: x["path"])]
        return "+".join(texts)

    def run(path, *more):
        first = grid.dugnad("graph", "submit", path, "--quiet", *more).strip()
        stages = [x["batch"] for x in grid.api.get(f"/v1/batches/{first}/graph")["stages"]]
        return stages, work_until(grid, host, stages, say)

    words = [word() for _ in range(8)]
    stages, runs = run(write(words))
    assert len(runs) == 8 + 8 + 2 + 1 and set(runs.values()) == {1}
    total = grid.answers(stages[2])[f"{stages[2]}.2"]
    again, runs = run(write(words))
    assert runs == {} and grid.answers(again[2])[f"{again[2]}.2"] == total
    words[5] = word()
    changed, runs = run(write(words))
    assert {u.split(".")[0] for u in runs} == set(changed) and len(runs) == 1 + 1 + 1 + 1
    assert grid.answers(changed[2])[f"{changed[2]}.2"] == "+".join(f"<{w}>" for w in words)
    _, runs = run(write(words), "--fresh")
    assert len(runs) == 19


def test_many_large_answers_are_taken_in_parts(grid, host):
    """More than a request may copy at once: the server takes a part, and whoever submits goes on from there."""
    count, base = 4300, int(word()[1:], 16) % 10**9
    line = ("submit", "say", "--array", f"{base}..{base + count - 1}", "--policy", "once", "--reuse", "--quiet", "--", "{}")
    first = grid.dugnad(*line, timeout=300).strip()
    work_until(grid, host, [first], lambda u: (u["word"] + " ") * (4000 // (len(u["word"]) + 1)), seconds=300)
    again = grid.dugnad(*line, timeout=300).strip()
    status = grid.status(again)
    assert (status["units"], status["taken"], status["state"]) == (count, count, "done")
    assert grid.dugnad("cat", f"{again}.{count - 1}").split()[0] == str(base + count - 1)
