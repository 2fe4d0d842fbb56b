"""Files of a client that its disk, or a crash in the middle of a write, has changed."""

import os

import pytest

from grid import eventually


@pytest.fixture(scope="module", autouse=True)
def app(grid):
    grid.publish("dugnad-say")


def test_an_input_that_has_changed_is_noticed_and_fetched_again(grid, tmp_path):
    (tmp_path / "in").write_text("right " * 1000)
    submit = ("submit", "say", "--each-line", "-", "--input", tmp_path / "in", "--quorum", 1, "--quiet", "--", "{}", "--read", "in")
    client = grid.client("changed").start()
    grid.wait_done(grid.dugnad(*submit, stdin="one\n").strip())
    client.end()
    kept = [p for p in client.data.rglob("*") if p.is_file() and p.stat().st_size == 6000]
    assert kept, "the input is kept on the client's disk"
    for path in kept:
        path.chmod(0o600)
        path.write_text("wrong " * 1000)
    client.start()
    batch = grid.dugnad(*submit, stdin="two\n").strip()
    assert grid.wait_done(batch, 55)["accepted"] == 1
    assert grid.answers(batch) == {f"{batch}.0": "two\n" + "right " * 1000}
    client.end()


@pytest.mark.parametrize("tail", [b"\0" * 100, b"half a rec", os.urandom(500)], ids=["zeros", "half", "noise"])
def test_a_journal_with_a_torn_end_costs_nothing_that_was_whole(grid, tail):
    client = grid.client(f"torn{len(grid.processes)}").start()
    batch = grid.submit("say", lines=["one", "two"], command=["--sleep", "700", "{}"], quorum=1)
    eventually(lambda: "ended" in client.text(), 15, what="the first of two has ended")
    grid.server.kill()
    client.kill()
    (journal,) = [p for p in client.data.iterdir() if p.name.startswith("journal")]
    with open(journal, "ab") as f:
        f.write(tail)
    grid.start()
    client.start()
    assert grid.wait_done(batch)["accepted"] == 2
    assert grid.status(batch)["attempts"] == 2, "nothing was handed out twice"
    assert client.text().count("started") <= 3, "only what ran was begun again"
    client.end()
