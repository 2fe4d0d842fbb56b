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
