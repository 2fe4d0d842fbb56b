"""client/python/dugnad.py against a real grid: submit, map, files, failures, and what it says when it cannot."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grid import BIN

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "client" / "python"))
import dugnad  # noqa: E402

BIG = 20000


@pytest.fixture(scope="module")
def mine(grid, tmp_path_factory):
    grid.publish("dugnad-say")
    path = tmp_path_factory.mktemp("login") / "login.json"
    token = tmp_path_factory.mktemp("token") / "token"
    token.write_text(grid.user("py").token)
    subprocess.run([BIN / "dugnad", "login", grid.link, "--token-file", token], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "DUGNAD_CONFIG": str(path)})
    clients = [grid.client(name).start() for name in ("ada", "bo")]
    yield dugnad.Grid(config=path)
    for client in clients:
        client.end()


def test_a_map_gives_the_answers_in_order(mine):
    answers = mine.map("say", range(12), ["{}"])
    assert [a.text() for a in answers] == [f"{i}\n" for i in range(12)]
    assert answers[3].vars == {"": "3"}


def test_large_answers_are_fetched_and_checked(mine):
    (answer,) = mine.map("say", ["x"], ["{}", "--bytes", str(BIG)])
    assert answer.text() == "x\n" + "x" * BIG
    answer.output._data, answer.output.sha256 = None, "0" * 64
    with pytest.raises(dugnad.GridError):
        answer.bytes()


def test_the_same_key_is_the_same_batch(mine):
    first = mine.submit("say", ["a", "b"], key="once")
    again = mine.submit("say", ["a", "b"], key="once")
    assert first.id == again.id
    assert first.wait()["accepted"] == 2


def test_files_become_inputs_and_are_sent_once(mine, tmp_path):
    file = tmp_path / "in.txt"
    file.write_bytes(os.urandom(100000))
    digest, size = mine.upload(file)
    assert (digest, size) == mine.upload(file)
    batch = mine.submit("say", [file], ["{}"])
    assert batch.wait()["accepted"] == 1
    unit = mine.get(f"/v1/units/{batch.id}.0")
    assert unit["inputs"] == [{"path": "in.txt", "sha256": digest, "bytes": 100000}]


def test_what_failed_is_said(mine):
    batch = mine.submit("say", ["x"], ["--no-such-option", "{}"], rules=dict(max_error_attempts=0))
    assert batch.wait()["failed"] == 1
    (result,) = batch.results(follow=False)
    assert result.failure == "errors" and not result.outputs
    assert batch.failures()[0]["error"] == "exit"
    assert "failed" in batch.explain()
    with pytest.raises(dugnad.UnitFailed, match="failed: errors"):
        mine.map("say", ["x"], ["--no-such-option", "{}"], rules=dict(max_error_attempts=0))


def test_errors_have_the_servers_word_and_sentence(mine, tmp_path):
    with pytest.raises(dugnad.GridError, match="no app") as e:
        mine.submit("no-such-app", ["x"])
    assert e.value.code == "missing" and e.value.status == 404
    with pytest.raises(dugnad.GridError, match="dugnad login"):
        dugnad.Grid(config=tmp_path / "nothing")


def test_another_certificate_is_not_believed(mine):
    stranger = dugnad._Connection(mine.url, "dgu_1_" + "A" * 43, ["A" * 43 + "="])
    with pytest.raises(dugnad.GridError, match="another certificate"):
        stranger.once("GET", "/v1/whoami", None, {})


def test_what_was_answered_is_not_computed_again(mine):
    words = [os.urandom(6).hex() for _ in range(3)]
    first = mine.submit("say", words, reuse=True)
    first.wait()
    again = mine.submit("say", [*words, "new" + words[0]], reuse=True)
    assert again.wait()["taken"] == 3
    assert [r.text() for r in sorted(again.results(), key=lambda r: r.index)][:3] == [f"{w}\n" for w in words]


def test_a_graph_from_python_is_run_by_the_server_and_a_re_run_takes_all(mine):
    word = os.urandom(6).hex()
    stages = [dict(name="one", app="say", command=["{}"], units=[word, word + "x"]),
              dict(name="two", app="say", command=["{}-again"], each="one")]
    made = mine.graph(stages)
    assert made["two"].wait()["accepted"] == 2
    assert sorted(r.text() for r in made["two"].results()) == [f"{word}-again\n", f"{word}x-again\n"]
    again = mine.graph(stages)
    assert again["two"].wait()["taken"] == 2


def test_records_are_published_read_and_shared(mine):
    name = "py-" + os.urandom(4).hex()
    assert mine.publish(name, ["a", {"n": 1}, "c"]) == 3
    assert [r["body"] for r in mine.tail(name, follow=False)] == ["a", '{"n":1}', "c"]
    seen = []

    def handle(record):
        if record["seq"] == 2 and record["times"] == 1:
            raise RuntimeError("not now")
        seen.append(record["seq"])

    with pytest.raises(RuntimeError):
        mine.consume(name, "me", handle, seconds=1)
    assert seen == [1]
    assert mine.consume(name, "me", handle, seconds=1) == 2
    assert seen == [1, 2, 3], "what was given back comes again"
    with pytest.raises(ValueError):
        mine.publish(name, ["two\nlines"])


def test_a_batch_is_steered_saved_and_proved(mine, grid, tmp_path):
    batch = mine.submit("say", ["a", "b"], key="steer" + os.urandom(4).hex())
    assert batch.priority(7)["priority"] == 7
    batch.wait()
    paths = batch.save(tmp_path, "{index}.txt")
    assert sorted(p.name for p in paths) == ["0.txt", "1.txt"] and (tmp_path / "1.txt").read_text() == "b\n"
    with pytest.raises(ValueError):
        batch.save(tmp_path, "../{index}.txt")
    batch.provenance(tmp_path / "proof")
    assert "2 accepted" in grid.dugnad("verify", tmp_path / "proof")
    assert batch.unit(0)["state"] == "delivered" and batch.dead() == []


def test_a_bar_is_drawn_on_a_terminal_and_in_a_notebook_and_nowhere_else(monkeypatch, capsys):
    assert not dugnad._watched()
    notebook = type("OutStream", (), {"__module__": "ipykernel.iostream", "isatty": lambda self: False})
    monkeypatch.setattr(sys, "stderr", notebook())
    assert dugnad._watched()
