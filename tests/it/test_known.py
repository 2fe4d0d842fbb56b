"""Known answers (ringers): units whose right answer is told with them find out hosts that lie, and no host can tell which they are."""

import json

import pytest

from grid import BIN, digest, eventually


@pytest.fixture(autouse=True)
def alone(grid):
    yield
    grid.cancel_all()


@pytest.fixture(scope="module", autouse=True)
def apps(grid):
    grid.login()
    grid.publish("dugnad-say")
    grid.publish("dugnad-say", "near", "--compare", "numeric:1e-3,0")
    grid.publish("dugnad-say", "lines", "--compare", f"validator:{BIN}/apps/same-lines --comment # out.txt")


def submit(grid, folder, app, count, known, *more):
    """known: number of the unit -> what is right."""
    for i, text in known.items():
        (folder / f"{i}.txt").write_text(text)
    return grid.dugnad("submit", app, "--array", f"0..{count - 1}", "--known", f"{folder}/{{}}.txt=out.txt", *more, "--", "{}").split()[0]


def work(grid, batch, *workers, seconds=30):
    """workers: (host, what it says) each."""
    def step():
        for host, say in workers:
            host.work_off(say, most=3)
        return grid.status(batch)["state"] == "done"
    eventually(step, seconds, every=0.02, what=f"batch {batch} is done")


def honest(word):
    return f"{word}\n"


def test_one_right_answer_is_enough_and_a_wrong_one_is_never_taken(grid, tmp_path):
    batch = submit(grid, tmp_path, "say", 4, {1: "1\n", 3: "3\n"}, "--policy", "adaptive")
    liar, ada, bo, cy = (grid.host(n) for n in ("liar", "ada", "bo", "cy"))
    held = liar.take_all(4)
    liar.report(*(liar.answer(a, "lie\n") for a in held))
    eventually(lambda: grid.attempts(f"{batch}.1")[0]["state"] == "invalid", 10, what="the known answer is looked at")
    work(grid, batch, (ada, honest), (bo, honest), (cy, honest))
    assert grid.answers(batch) == {f"{batch}.{i}": f"{i}\n" for i in range(4)}
    for i in (1, 3):
        assert [a["state"] for a in grid.attempts(f"{batch}.{i}")] == ["invalid", "valid"], "nobody else had to confirm it"
    assert grid.unit(f"{batch}.1")["known"] == ada.answer_digest("1\n")
    for i in range(4):
        grid.dugnad("replay", f"{batch}.{i}")
    proof = tmp_path / "provenance.ndjson"
    grid.dugnad("provenance", batch, "--out", proof)
    assert "4 units, 4 accepted" in grid.dugnad("verify", proof), "its life follows from the rules that stand with it"


def test_no_host_can_tell_which_units_they_are(grid, tmp_path):
    submit(grid, tmp_path, "say", 6, {2: "2\n"}, "--quorum", "2")
    ada = grid.host("ada")
    assert len(ada.take_all(6)) == 6
    shapes = {json.dumps([sorted(u), sorted(json.loads(u["spec"]))]) for u in ada.held.values()}
    assert len(shapes) == 1, shapes
    assert not any(digest(b"2\n") in json.dumps(u) for u in ada.held.values())


def test_a_host_that_lies_again_and_again_is_banned_by_known_answers_alone(grid, tmp_path):
    batch = submit(grid, tmp_path, "say", 12, {i: f"{i}\n" for i in range(12)}, "--policy", "adaptive")
    liar, ada = grid.host("liar"), grid.host("ada")
    for _ in range(12):
        if not liar.work_off(lambda word: "lie\n", most=1):
            break
        eventually(lambda: grid.status(batch)["judging"] == 0, 10)
    assert grid.api.get(f"/v1/hosts/{liar.id}")["banned"]
    work(grid, batch, (ada, honest))
    assert grid.answers(batch) == {f"{batch}.{i}": f"{i}\n" for i in range(12)}


@pytest.mark.parametrize("app,known,right,wrong", [("near", "1.0\n", "1.0004\n", "1.5\n"), ("lines", "yes\n", "# took 2 s\nyes\n", "no\n")])
def test_answers_are_compared_as_the_app_compares_them(grid, tmp_path, app, known, right, wrong):
    batch = submit(grid, tmp_path, app, 2, {0: known, 1: known}, "--quorum", "2")
    cy, ada = grid.host("cy"), grid.host("ada")
    for host in (cy, ada):
        host.take_all(2)
    for unit, says in ((0, {cy: wrong, ada: right}), (1, {ada: right, cy: wrong})):  # once before and once after it is accepted
        for host, text in says.items():
            (attempt,) = [a for a in host.held if a.startswith(f"{batch}.{unit}.")]
            host.report(host.answer(attempt, text))
            eventually(lambda: grid.attempt(attempt)["state"] == ("valid" if text == right else "invalid"), 15, what=f"{attempt} is judged")
    assert grid.wait_done(batch)["accepted"] == 2
    assert grid.answers(batch) == {f"{batch}.{i}": right for i in (0, 1)}


def test_it_is_looked_at_after_a_crash(grid, tmp_path):
    batch = submit(grid, tmp_path, "near", 2, {0: "1.0\n", 1: "2.0\n"}, "--policy", "adaptive")
    ada = grid.host("ada")
    ada.take_all(2)
    grid.kill_server()
    ada.report(*(ada.answer(a, "1.0001\n") for a in list(ada.held)))
    grid.kill_server()
    bo = grid.host("bo")
    work(grid, batch, (bo, lambda word: "2.0\n"))
    assert grid.answers(batch) == {f"{batch}.0": "1.0001\n", f"{batch}.1": "2.0\n"}


def test_what_is_wrong_with_them_is_told(grid, tmp_path):
    (tmp_path / "0.txt").write_text("0\n")
    why = grid.dugnad("submit", "say", "--array", "0..1", "--known", f"{tmp_path}/0.txt=out.txt", "--", "{}", status=2)
    assert "has no {NAME} in it" in why
    why = grid.dugnad("submit", "say", "--array", "0..1", "--known", f"{tmp_path}/{{}}.txt=out.txt", "--known", f"{tmp_path}/{{}}.log=log.txt", "--", "{}", status=4)
    assert "0.log is not" in why
    batch = grid.api.post("/v1/batches", dict(app="near", command=["{}"]))["batch"]
    line = dict(vars={"": "0"}, inputs=[], known=[dict(path="out.txt", sha256=digest(b"never sent"), bytes=10)])
    told = grid.api.ask("POST", f"/v1/batches/{batch}/units?first=0", json.dumps(line)).refused(404, "missing")
    assert "known output out.txt" in told and "upload" in told
    line["known"] = []
    assert "known is empty" in grid.api.ask("POST", f"/v1/batches/{batch}/units?first=0", json.dumps(line)).refused(400, "invalid")
