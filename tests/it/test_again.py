"""Small things a scientist reaches for: one unit's output, the newest batch by a word, waiting, a unit computed again here,
what a failed program wrote, answers with their proof."""

import os
import re
import subprocess

import pytest

from grid import BIN, eventually
from test_graph import take_one


@pytest.fixture(scope="module", autouse=True)
def app(grid):
    grid.login()
    grid.publish("dugnad-say")


@pytest.fixture
def host(grid):
    grid.cancel_all()
    return grid.host(f"a{os.urandom(4).hex()}")


def submit(grid, *more):
    return grid.dugnad("submit", "say", "--quiet", "--policy", "once", "--max-errors", "0", *more, "--", "{}").strip()


def said(word):
    """What dugnad-say prints."""
    return f"{word}\n"


def answer_all(host, count, say=said):
    host.take_all(count)
    host.report(*(host.answer(a, say(u["word"])) for a, u in list(host.held.items())))


def test_the_newest_batch_goes_by_the_name_of_last(grid, host):
    submit(grid, "--array", "1..2")
    batch = submit(grid, "--array", "5..6", "--name", "newest")
    assert "newest" in grid.dugnad("status", "last")
    after = submit(grid, "--array", "1", "--after", "last")
    stage = grid.api.get(f"/v1/batches/{after}/graph")["stages"]
    assert [x for x in stage if x["batch"] == after][0]["after"] == [batch]
    grid.dugnad("cancel", "last")
    assert grid.status(after)["state"] == "cancelled" and grid.status(batch)["state"] == "running"


def test_a_units_output_is_printed_whether_it_is_small_or_large(grid, host):
    batch = submit(grid, "--array", "7..8")
    answer_all(host, 2)
    eventually(lambda: grid.status(batch)["state"] == "done", 10)
    assert grid.dugnad("cat", "last.1") == grid.dugnad("cat", f"{batch}.1", "out.txt") == said("8")
    assert "out.txt" in grid.dugnad("cat", f"{batch}.1", "other.txt", status=2)
    assert f"{batch}.0 to {batch}.1" in grid.dugnad("cat", f"{batch}.2", status=4)


def test_wait_ends_when_all_are_done_and_says_whether_all_is_well(grid, host):
    one, two = submit(grid, "--array", "1"), submit(grid, "--array", "2")
    assert "is not done" in grid.dugnad("wait", one, two, "--timeout", "1s", status=11)
    answer_all(host, 2)
    assert len(grid.dugnad("wait", one, two).splitlines()) == 2
    bad = submit(grid, "--array", "3")
    host.report(host.error(next(iter(take_one(host))), "exit", exit_code=3))
    grid.dugnad("wait", one, bad, status=1)


def test_a_unit_is_computed_again_here_and_compared(grid, host):
    right = submit(grid, "--array", "41")
    answer_all(host, 1)
    wrong = submit(grid, "--array", "42")
    answer_all(host, 1, lambda word: "a lie\n")
    eventually(lambda: all(grid.status(b)["state"] == "done" for b in (right, wrong)), 10)
    out = grid.folder / "again"
    said_right = grid.dugnad("replay", f"{right}.0", "--run", "--out", out, env={"XDG_CACHE_HOME": str(grid.folder / "cache")})
    assert "the same answer" in said_right and "as it is stored" in said_right
    assert (out / "out.txt").read_text() == said("41")
    assert "out.txt differs" in grid.dugnad("replay", f"{wrong}.0", "--run", status=1, env={"XDG_CACHE_HOME": str(grid.folder / "cache")})


def test_what_a_failed_program_wrote_to_both_of_its_outputs_is_shown(grid, host):
    batch = submit(grid, "--array", "1")
    attempt = next(iter(take_one(host)))
    host.report(host.error(attempt, "exit", exit_code=3, stderr="complains\n", stdout="row 17\n\u001b[31mrow 18\n"))
    eventually(lambda: grid.status(batch)["failed"] == 1, 10)
    for command in ("show", "failures"):
        text = grid.dugnad(command, f"{batch}.0" if command == "show" else batch)
        assert re.search(r"> row 17\n", text) and "complains" in text and "\u001b" not in text, text


def test_a_real_client_sends_the_end_of_what_a_program_wrote(grid):
    grid.cancel_all()
    script = grid.folder / "halfway.py"
    script.write_text("#!/usr/bin/env python3\nimport sys\nprint('a' * 9000)\nprint('half way')\nsys.stdout.flush()\nsys.exit('no more')\n")
    script.chmod(0o755)
    folder = grid.folder / "halfway-1"
    grid.dugnad("app", "pack", script, "--quiet", "--out", folder)
    grid.dugnad("app", "publish", grid.sign(folder), "--quiet")
    batch = grid.dugnad("submit", "halfway", "--quiet", "--policy", "once", "--max-errors", "0", "--array", "1").strip()
    client = grid.client("real").start()
    eventually(lambda: grid.status(batch)["failed"] == 1, 120)
    attempt = grid.api.get(f"/v1/units/{batch}.0")["attempts"][0]
    assert attempt["stdout"].endswith("aaa\nhalf way\n") and len(attempt["stdout"]) == 2048 and "no more" in attempt["stderr"]
    client.end()


def test_answers_come_with_the_file_that_proves_them(grid, host):
    batch = submit(grid, "--array", "1..3")
    host.take_all(3)
    folder = grid.folder / f"proved-{batch}"
    held = list(host.held.items())
    host.report(host.answer(held[0][0], said(held[0][1]["word"])))
    grid.dugnad("results", batch, "--out", folder)
    assert not (folder / "provenance.ndjson").exists(), "not before all are there"
    host.report(*(host.answer(a, said(u["word"])) for a, u in held[1:]))
    eventually(lambda: grid.status(batch)["state"] == "done", 10)
    grid.dugnad("results", batch, "--out", folder)
    assert "3 of 3 accepted files" in grid.dugnad("verify", folder / "provenance.ndjson", "--results", folder)
    bare = grid.folder / f"bare-{batch}"
    grid.dugnad("results", batch, "--out", bare, "--no-provenance")
    assert not (bare / "provenance.ndjson").exists()


def test_units_that_cannot_differ_are_told_of(grid):
    grid.cancel_all()
    word = ("submit", "say", "--array", "1..3", "--policy", "once")
    done = subprocess.run([BIN / "dugnad", *word, "--", "same"], env=grid.env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "are the same" in done.stderr
    done = subprocess.run([BIN / "dugnad", *word, "--", "{}"], env=grid.env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "are the same" not in done.stderr


def test_explain_counts_the_hosts_that_each_need_keeps_away(grid, host):
    folder = grid.folder / "app-greedy"
    grid.dugnad("app", "pack", BIN / "dugnad-say", "--quiet", "--name", "greedy", "--out", folder, "--stdout", "out.txt",
                "--needs-feature", "neon", "--needs-memory", "1G")
    grid.dugnad("app", "publish", grid.sign(folder), "--quiet")
    batch = grid.dugnad("submit", "greedy", "--quiet", "--array", "1", "--", "{}").strip()
    small = grid.host(f"s{os.urandom(4).hex()}")
    small.work(host=dict(small.FACTS, memory_bytes=64 << 20, features=["neon"]))
    host.work(host=host.FACTS)
    said = grid.api.get(f"/v1/batches/{batch}/explain")
    hosts = said["hosts"]
    assert hosts["match"] == 0 and hosts["memory"] >= 1 and hosts["features"] >= 1 and hosts["active"] >= 2, said
    assert f"0 of the {hosts['active']} hosts" in said["text"] and "less memory" in said["text"] and "neon" in said["text"]
    grid.dugnad("cancel", batch)
