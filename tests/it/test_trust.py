"""How answers become true without a quorum: trust, escrow, audits of items, checkers; with hosts that lie in many ways."""

import base64
import re
import subprocess

import pytest

from grid import BIN, Grid, digest, eventually
from items import ITEMS, items


@pytest.fixture(autouse=True)
def alone(grid):
    yield
    grid.cancel_all()


@pytest.fixture(scope="module", autouse=True)
def app(grid):
    grid.publish("dugnad-say")
    grid.publish("dugnad-items", "items", "--output", "out.txt", "--output", "items.txt", "--items", "items.txt")
    grid.publish("dugnad-items", "checked", "--output", "out.txt", "--output", "items.txt", "--checker", BIN / "dugnad-items", "--checker=--check")


def files(attempt, **outputs):
    refs = []
    for path, data in outputs.items():
        raw = data.encode()
        refs.append(dict(path=path.replace("_", "."), sha256=digest(raw), bytes=len(raw), data=base64.b64encode(raw).decode()))
    return dict(attempt=attempt, outcome="ok", outputs=refs, usage=dict(cpu_ms=10, wall_ms=20, memory_bytes=1 << 20))


def answer(unit, word, wrong=(), frames=False):
    """What a host says of a unit: the whole of it, or of the items that an audit asks for."""
    audit = unit.get("audit")
    if audit:
        return files(unit["attempt"], items_txt=items(word, audit, range(ITEMS) if frames else ()))
    return files(unit["attempt"], out_txt=f"{word}\n", items_txt=items(word, wrong=wrong))


def run(grid, batch, hosts, seconds=60):
    """hosts: (host, what it says of a unit) each, one unit at a time. How many units were run, audits not counted."""
    runs, said = [0], {}

    def step():
        for host, say in hosts:
            for attempt, unit in host.take(1).items():
                if attempt not in said:
                    said[attempt] = say(unit)
                    runs[0] += "audit" not in unit
            for attempt in list(host.held):  # what a busy server did not take is told again
                host.report(said[attempt])
        return grid.status(batch)["state"] == "done"
    eventually(step, seconds, every=0.005, what=f"batch {batch} is done")
    return runs[0]


def say(lies=lambda n: False):
    """For the app say: right answers, but where lies(number of answer) is."""
    count = [0]

    def one(unit):
        count[0] += 1
        text = "lie\n" if lies(count[0]) else f"{unit['word']}\n"
        return files(unit["attempt"], out_txt=text)
    return one


def is_banned(grid, host):
    return grid.api.get(f"/v1/hosts/{host.id}")["banned"]


def right(batch, count):
    return {f"{batch}.{i}": f"{i}\n" for i in range(count)}


def right_items(batch, count):
    """grid.answers() has the first output of each answer, by path."""
    return {f"{batch}.{i}": items(i) for i in range(count)}


def test_without_a_quorum_new_hosts_are_confirmed_and_trusted_ones_only_now_and_then(grid):
    hosts = [(grid.host(f"good{i}"), say()) for i in range(3)]
    batch = grid.submit("say", array=400, quorum=None, policy="adaptive", probation=5, escrow_units=30)
    runs = run(grid, batch, hosts)
    assert grid.answers(batch) == right(batch, 400)
    assert 400 < runs < 600, "a quorum of two would be 800"
    told = grid.status(batch)
    assert (told["accepted"], told["provisional"]) == (400, 0)
    assert told["policy"]["runs_measured"] == pytest.approx(runs / 400) and 0 < told["policy"]["wrong_measured"] <= told["policy"]["liars_measured"]
    shown = grid.dugnad("status", batch)
    assert f"measured: {runs / 400:.2f} runs" in shown and "policy adaptive: expected" in shown and "provisional" in shown


def test_who_lies_once_it_is_trusted_is_banned_and_what_waits_of_it_is_run_again(grid):
    grid.publish("dugnad-say", "told")
    liar = grid.host("turncoat")
    hosts = [(grid.host(f"plain{i}"), say()) for i in range(3)] + [(liar, say(lambda n: n > 30))]
    batch = grid.submit("told", array=500, quorum=None, policy="adaptive", probation=5, escrow_units=60, audit_share=0.3)
    run(grid, batch, hosts)
    assert grid.answers(batch) == right(batch, 500)
    assert is_banned(grid, liar)
    assert not any(is_banned(grid, h) for h, _ in hosts[:3])


def test_items_are_audited_and_one_wrong_item_is_found(grid):
    liar = grid.host("forger")
    lied = [0]

    def forge(unit):
        lied[0] += "audit" not in unit
        return answer(unit, unit["word"], wrong=(7,) if lied[0] > 5 else ())
    honest = [(grid.host(f"exact{i}"), lambda u: answer(u, u["word"])) for i in range(6)]
    batch = grid.submit("items", array=400, quorum=None, policy="audit", probation=4, escrow_units=50, audit_share=0.2)
    runs = run(grid, batch, honest + [(liar, forge)], seconds=90)
    assert grid.answers(batch) == right_items(batch, 400)
    assert is_banned(grid, liar)
    assert not any(is_banned(grid, h) for h, _ in honest)
    assert runs < 600, "most units are run once"
    told = grid.status(batch)
    assert told["attempts"] - runs == told["audits"] >= 400, "an audit counts as the share that it recomputes"
    assert told["policy"]["runs_measured"] == pytest.approx((runs + told["audited_ppm"] / 1e6) / 400)
    assert told["policy"]["runs_measured"] < runs / 400 + 0.45 and told["policy"]["liars_measured"] > 0
    validation, metrics = grid.api.get("/v1/validation"), grid.api.ask("GET", "/metrics").body.decode()
    measured = dict(re.findall(r"^dugnad_(replication|error_bound|liars_at_most|provisional) (\S+)$", metrics, re.M))
    assert {k: pytest.approx(float(v)) for k, v in measured.items()} == dict(
        replication=validation["replication"], error_bound=validation["error_bound"], liars_at_most=validation["liars"], provisional=0)


def test_an_auditor_that_frames_honest_hosts_is_found_out_by_the_server(grid):
    """One false word may be a fault of the machine: it costs the right to check others and no more."""
    grid.publish("dugnad-items", "framed", "--output", "out.txt", "--output", "items.txt", "--items", "items.txt")
    honest, framer, audits, frames = [grid.host(f"victim{i}") for i in range(5)], grid.host("framer"), [], [False]

    def frame(unit):
        audits.extend([unit["attempt"]] if "audit" in unit else [])
        return answer(unit, unit["word"], frames=frames[0])

    def go(count):
        hosts = [(h, lambda u: answer(u, u["word"])) for h in honest]
        batch = grid.submit("framed", array=count, quorum=None, policy="audit", probation=2, escrow_units=10, audit_share=0.1)
        run(grid, batch, hosts[:1] + [(framer, frame)] + hosts[1:])
        assert grid.answers(batch) == right_items(batch, count)
    go(60)
    assert audits, "it is asked as others are"
    frames[0] = True
    audits.clear()
    while not audits:  # one unit at a time, so that there is a verdict before it could be asked again
        go(1)
    go(60)
    assert len(audits) == 1, "nobody asks it any more"
    assert grid.api.get(f"/v1/hosts/{framer.id}")["invalid"] == 1, "the server has computed who is right"
    assert not any(is_banned(grid, h) for h in honest + [framer])


def test_a_checker_takes_the_place_of_a_second_answer(grid):
    liar, honest = grid.host("cheat"), grid.host("worker")
    batch = grid.submit("checked", array=30, quorum=None, policy="checker")
    runs = run(grid, batch, [(liar, lambda u: answer(u, f"not {u['word']}")), (honest, lambda u: answer(u, u["word"]))])
    assert grid.answers(batch) == right_items(batch, 30)
    states = [a["state"] for i in range(30) for a in grid.attempts(f"{batch}.{i}") if a.get("host") == liar.id]
    assert states and set(states) == {"invalid"}
    assert runs == 30 + len(states)


def test_once_believes_every_answer_and_gives_an_owner_all(grid):
    only = grid.host("only")
    batch = grid.submit("say", array=20, quorum=None, policy="once")
    assert run(grid, batch, [(only, say())]) == 20
    assert grid.answers(batch) == right(batch, 20)


@pytest.mark.parametrize("app,rules,says", [
    ("say", dict(policy="audit"), "lists no items"), ("say", dict(policy="checker"), "no verify program"),
    ("say", dict(policy="guess"), "once, quorum, adaptive, audit or checker"), ("say", dict(policy="once", audit_share=0.5), "go with the policies adaptive and audit"),
    ("say", dict(policy="adaptive", audit_share=0.1, audit_floor=0.5), "audit_floor"), ("say", dict(policy="adaptive", min_quorum=2), "goes with quorum alone"),
])
def test_policies_that_cannot_be_are_refused_with_the_reason(grid, app, rules, says):
    reply = grid.api.ask("POST", "/v1/batches", dict(app=app, command=["{}"], rules=rules, array=dict(first=0, last=1)))
    assert reply.status == 400 and says in reply.json["error"]["message"]


def test_an_app_is_audited_by_default_only_when_its_list_is_all_that_it_puts_out(grid):
    grid.publish("dugnad-items", "listed", "--output", "items.txt", "--items", "items.txt")
    name = lambda app, **rules: grid.status(grid.submit(app, array=1, quorum=None, **rules))["policy"]["name"]
    assert [name("listed"), name("items"), name("items", policy="audit"), name("say"), name("checked")] == ["audit", "adaptive", "audit", "adaptive", "checker"]


@pytest.mark.parametrize("policy,owners", [("adaptive", 2), ("audit", 4)])
def test_a_batch_that_lacks_people_to_check_says_so(tmp_path, policy, owners):
    (tmp_path / "lonely").mkdir()
    with Grid(tmp_path / "lonely") as lonely:
        lonely.login()
        lonely.publish("dugnad-items", "items", "--output", "out.txt", "--output", "items.txt", "--items", "items.txt")
        batch = lonely.submit("items", array=4, quorum=None, policy=policy)
        for n in range(1, owners + 1):
            lonely.host(f"h{n}").work()
            told = lonely.api.get(f"/v1/batches/{batch}/explain")["text"]
            assert (f"needs hosts of {owners}" in told) == (n < owners), told


def refused(*words):
    done = subprocess.run([BIN / "dugnad", "verify", *map(str, words)], capture_output=True, text=True, timeout=30)
    assert done.returncode not in (0, 1), done.stdout
    return done.stderr


def test_a_batch_proves_how_it_came_to_its_answers(grid, tmp_path):
    grid.publish("dugnad-say", "proof")  # an app that nobody is trusted with yet
    hosts = [(grid.host(f"proof{i}"), say()) for i in range(3)]
    batch = grid.submit("proof", array=230, quorum=None, policy="adaptive", probation=5, escrow_units=30)
    run(grid, batch, hosts)
    file, folder = tmp_path / "provenance.ndjson", tmp_path / "answers"
    grid.dugnad("provenance", batch, "--out", file)
    grid.dugnad("results", batch, "--out", folder)
    key = grid.api.get("/v1/project")["project_key"]
    told = grid.dugnad("verify", file, "--key", key, "--results", folder)
    assert "230 units, 230 accepted" in told and "compare that key" not in told
    lines = file.read_bytes().splitlines(keepends=True)
    broken = tmp_path / "broken.ndjson"
    for change in (lambda t: t[:7] + [t[7].replace(b'"valid"', b'"invalid"', 1)] + t[8:], lambda t: t[:7] + t[8:],
                   lambda t: t[:2] + [t[3], t[2]] + t[4:], lambda t: t[:-1], lambda t: t[:1] + t[202:], lambda t: t[:-1] + [t[-1][:-1]]):
        broken.write_bytes(b"".join(change(lines)))
        says = refused(broken)
        assert "line" in says or "page" in says, says
    assert "another project" in refused(file, "--key", "ab" * 32)
    (answer,) = [p for p in folder.rglob("*") if p.is_file() and p.read_bytes() == b"17\n"]
    answer.write_text("18\n")
    assert "229 of 230 accepted files" in grid.dugnad("verify", file, "--results", folder, status=1)


def test_a_host_shows_what_it_has_earned(grid, tmp_path):
    host = grid.host("earner")
    batch = grid.submit("say", array=5, quorum=None, policy="once")
    run(grid, batch, [(host, say())])
    file = tmp_path / "receipt.json"
    grid.dugnad("receipt", host.id, "--out", file)
    assert f"host {host.id} of volunteer {host.volunteer}" in (told := grid.dugnad("verify", file)) and "5 valid answers" in told


def test_a_program_is_tried_for_giving_the_same_answer_every_time(grid, tmp_path):
    source = tmp_path / "odd.c"
    source.write_text('#include <stdio.h>\n#include <stdlib.h>\n#include <time.h>\nint main(int n, char **a)'
                      '{ struct timespec t; clock_gettime(0, &t); unsigned char *p = malloc(100);'
                      ' printf("%ld %d\\n", n > 1 ? t.tv_nsec : 0, n > 2 ? p[50] : 0); return !a; }')
    subprocess.run(["gcc", "-O1", "-static", source, "-o", tmp_path / "odd"], check=True)
    grid.dugnad("app", "pack", tmp_path / "odd", "--quiet", "--stdout", "out.txt", "--out", tmp_path / "packed")
    tried = ("app", "check-determinism", tmp_path / "packed" / "bundle.tar", "--release", tmp_path / "packed" / "release.json", "--json", "--")
    assert '"class":"none"' in grid.dugnad(*tried)
    assert '"class":null' in (says := grid.dugnad(*tried, "time", status=1)) and '"again":false' in says
