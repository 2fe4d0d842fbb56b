"""From a login to answers in a folder, the way a scientist walks it, with two real clients of different owners."""

import json
from types import SimpleNamespace

import pytest

from grid import eventually


@pytest.fixture(scope="module")
def people(grid):
    """Logged in, one app published, two clients that have joined and do not run yet."""
    assert "as operator" in grid.login()
    grid.publish("dugnad-say", "say")
    clients = [grid.client(name).join() for name in ("ada", "bo")]
    return SimpleNamespace(clients=clients, start=lambda: [c.start() for c in clients if not c.alive()])


def ask(grid, *words, status=0):
    return json.loads(grid.dugnad(*words, "--json", status=status))


def fetch(grid, batch, name, *options, status=0):
    folder = grid.folder / name
    grid.dugnad("results", batch, "--quiet", "--out", folder, *options, status=status)
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*"))
            if p.is_file() and p.name not in ("results.ndjson", "results.csv", "provenance.ndjson") and not p.name.startswith(".")}


def test_a_wrong_token_is_not_let_in_and_nothing_is_stored(grid, tmp_path):
    bad = tmp_path / "token"
    bad.write_text("dgu_1_" + "A" * 43 + "\n")
    config = {"DUGNAD_CONFIG": str(tmp_path / "login.json")}
    assert "token" in grid.dugnad("login", grid.link, "--token-file", bad, status=3, env=config)
    assert not (tmp_path / "login.json").exists()


def test_a_server_with_another_project_key_is_not_believed(grid, tmp_path):
    head, key = grid.link.split("#k=")
    other = f"{head}#k={'0' if key[0] != '0' else '1'}{key[1:]}"
    config = {"DUGNAD_CONFIG": str(tmp_path / "login.json")}
    grid.dugnad("login", other, "--token-file", grid.data / "operator.token", status=9, env=config)
    assert not (tmp_path / "login.json").exists()


def test_secrets_of_the_server_are_private(grid):
    for path in [grid.data / "operator.token", *(grid.data / "offline-keys").glob("*.pem"), *grid.data.glob("keys/*.pem")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_login_says_who_one_is(grid, people):
    me = ask(grid, "whoami")
    assert me["kind"] == "user" and me["role"] == "operator"
    assert grid.api.get("/v1/whoami")["id"] == me["id"]


def test_a_published_app_is_listed_and_publishing_twice_is_once(grid, people):
    grid.dugnad("app", "publish", grid.folder / "app-say" / "release.signed.json")
    apps = grid.api.pages("/v1/apps")
    assert [a.get("app") or a.get("name") for a in apps] == ["say"]


def test_an_app_without_the_projects_signature_is_not_published(grid, people):
    folder = grid.pack("dugnad-say", "unsigned")
    own = grid.folder / "own.key"
    grid.dugnad("key", "new", own)
    said = grid.dugnad("app", "publish", grid.sign(folder, own), status=9)
    assert "sign" in said or "key" in said
    assert len(grid.api.pages("/v1/apps")) == 1


def test_what_waits_says_why_and_a_cancelled_batch_can_be_retried(grid, people):
    batch = grid.dugnad("submit", "say", "--array", "1..3", "--quiet", "--", "{}").strip()
    assert len(grid.dugnad("explain", batch).split()) > 4
    eventually(lambda: grid.status(batch)["units"] == 3, what="the server has made the units")
    assert len(grid.dugnad("explain", f"{batch}.0").split()) > 4
    grid.dugnad("watch", batch, "--timeout", "1s", "--quiet", status=11)
    grid.dugnad("cancel", batch)
    assert ask(grid, "watch", batch, status=1)["state"] == "cancelled"
    eventually(lambda: [ask(grid, "show", f"{batch}.{i}").get("failure") for i in range(3)] == ["cancelled"] * 3, 10)
    eventually(lambda: grid.status(batch)["delivered"] == 3, 10)
    assert fetch(grid, batch, "cancelled", status=1) == {}
    grid.dugnad("retry", batch, "--failed")
    people.start()
    done = ask(grid, "watch", batch, "--timeout", "30s")
    assert (done["state"], done["units"], done["accepted"], done["failed"]) == ("done", 3, 3, 0)
    assert fetch(grid, batch, "retried", "--flat") == {f"{i}-out.txt": f"{i + 1}\n" for i in range(3)}


@pytest.fixture(scope="module")
def batches(grid, people):
    """One batch of each kind, sent at once; all of them are done when this returns."""
    data = grid.folder / "data"
    data.mkdir()
    (data / "common").write_text("common\n")
    for name in ("a", "b"):
        (data / f"{name}.dat").write_text(f"file {name}\n" + name * 100000)
    calls = dict(
        array=("--array", "10..30:5", "--name", "five", "--", "{}"),
        lines=("--each-line", "-", "--sweep", "seed=1..2", "--", "{}", "{{{seed}}}"),
        files=("--glob", data / "*.dat", "--input", f"{data}/common=sub/common", "--as", "in.dat", "--stdin", "in.dat", "--",
               "{stem}", "--read", "sub/common", "--stdin"),
        fails=("--each-line", "-", "--max-errors", 0, "--", "--exit", "{}", "end"))
    text = dict(lines="red green\n\n€ {x}\n", fails="0\n7\n")
    made = {kind: grid.dugnad("submit", "say", "--quiet", *words, stdin=text.get(kind)).strip() for kind, words in calls.items()}
    people.start()
    for kind, batch in made.items():
        grid.dugnad("watch", batch, "--timeout", "30s", "--quiet", status=1 if kind == "fails" else 0)
    return SimpleNamespace(**made)


def test_an_array_comes_back_as_files(grid, batches):
    assert fetch(grid, batches.array, "array") == {f"{batches.array}.{i}/out.txt": f"{10 + 5 * i}\n" for i in range(5)}
    status = ask(grid, "status", batches.array)
    assert (status["name"], status["units"], status["accepted"], status["delivered"]) == ("five", 5, 5, 5)
    assert status["attempts"] == 10, "two answers of different owners each"
    assert "five" in grid.dugnad("ls") and batches.array in grid.dugnad("status")


def test_every_answer_was_given_by_two_owners_and_the_history_leads_to_what_is_stored(grid, batches):
    for i in range(5):
        attempts = ask(grid, "show", f"{batches.array}.{i}")["attempts"]
        assert [a["state"] for a in attempts] == ["valid", "valid"]
        assert len({a["host"] for a in attempts}) == 2
        grid.dugnad("replay", f"{batches.array}.{i}")  # status 0: the rules reach the same


def test_lines_with_a_sweep_and_from_standard_input(grid, batches):
    got = sorted(fetch(grid, batches.lines, "lines").values())
    assert got == sorted(f"{word}\n{{{seed}}}\n" for word in ("red green", "€ {x}") for seed in (1, 2))


def test_files_go_there_and_come_back(grid, batches):
    got = fetch(grid, batches.files, "files", "--name", "{stem}.out")
    assert got == {f"{n}.out": f"{n}\ncommon\nfile {n}\n" + n * 100000 for n in ("a", "b")}


def test_what_fails_is_told_and_the_rest_comes(grid, batches):
    assert ask(grid, "watch", batches.fails, status=1)["failed"] == 1
    (failure,) = ask(grid, "failures", batches.fails)["items"]
    assert (failure["error"], failure["exit_code"], failure["unit"]) == ("exit", 7, f"{batches.fails}.1")
    assert "was told to end with 7" in failure["stderr"]
    assert "7" in grid.dugnad("failures", batches.fails)
    assert "exit" in grid.dugnad("explain", f"{batches.fails}.1").lower()
    assert fetch(grid, batches.fails, "fails", status=1) == {f"{batches.fails}.0/out.txt": "end\n"}
    lines = [json.loads(x) for x in (grid.folder / "fails" / "results.ndjson").read_text().splitlines()]
    assert {x["unit"]: x["state"] for x in lines} == {f"{batches.fails}.0": "accepted", f"{batches.fails}.1": "failed"}
