"""What a scientist does beside an array of numbers: tables, JSON, a batch in a file, a try before, all of it at home, and
the second look at what failed."""

import csv
import json
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from grid import BIN, eventually

SCHEMA = Path(__file__).parents[2] / "client" / "cli" / "batch.schema.json"


@pytest.fixture(scope="module")
def world(grid):
    """One client, whose answers are believed, and the app."""
    grid.login()
    grid.publish("dugnad-say", "say")
    grid.env["XDG_CACHE_HOME"] = str(grid.folder / "cache")
    (grid.folder / "temp").mkdir()
    grid.env["TMPDIR"] = str(grid.folder / "temp")
    client = grid.client("ada").join().start()
    return SimpleNamespace(client=client, folder=grid.folder)


def submit(grid, *words, status=0, **more):
    return grid.dugnad("submit", *words, status=status, **more).strip()


def run(grid, *words, status=0):
    batch = submit(grid, "say", "--quiet", "--policy", "once", *words)
    grid.dugnad("watch", batch, "--timeout", "30s", "--quiet", status=status)
    return batch


TABLE = 'x,name\n' + "".join(f'{i},"a ""quoted""\nname {i}"\n' if i % 3 == 0 else f"{i},plain\n" for i in range(10))


def test_a_table_is_cut_by_rows_and_the_answers_are_merged_in_order(grid, world):
    table = world.folder / "table.csv"
    table.write_text(TABLE)
    batch = run(grid, "--from-csv", table, "--rows", 3, "--", "--read", "{}")
    assert grid.status(batch)["units"] == 4
    grid.dugnad("results", batch, "--out", world.folder / "table", "--merge", world.folder / "all.csv", "--header")
    assert (world.folder / "all.csv").read_text() == TABLE
    for part in (world.folder / "table").glob("*/out.txt"):
        assert part.read_text().startswith("x,name\n")
    assert not list((world.folder / "temp").iterdir()), "the parts are gone"
    rows = list(csv.DictReader((world.folder / "table" / "results.csv").open()))
    assert [r["unit"] for r in rows] == [f"{batch}.{i}" for i in range(4)]
    assert {r["state"] for r in rows} == {"accepted"}


def test_json_gives_variables(grid, world):
    items = world.folder / "items.json"
    items.write_text(json.dumps([{"a": 1, "b": "x y"}, {"a": 2.5, "b": True}]))
    batch = run(grid, "--from-json", items, "--", "{a}", "{b}")
    assert sorted(grid.answers(batch).values()) == ["1\nx y\n", "2.5\ntrue\n"]
    items.write_text('{"a":7}\n{"a":8}\n')
    batch = run(grid, "--from-json", items, "--", "{a}")
    assert sorted(grid.answers(batch).values()) == ["7\n", "8\n"]
    items.write_text('[{"a":[1]}]')
    assert "variable is a text" in submit(grid, "say", "--from-json", items, "--", "{a}", status=2)


def test_a_batch_stands_in_a_file_and_the_command_line_wins(grid, world):
    file = world.folder / "batch.json"
    file.write_text(json.dumps({"app": "say", "command": ["{n}", "{}"], "array": "1..2", "sweep": {"n": [5, 6]}, "name": "from file",
                                "label": {"paper": "seven"}, "limit": {"cpu": "1m"}, "policy": "once", "priority": 3, "quiet": True}))
    assert '"quiet"' in submit(grid, "--file", file, status=2)
    file.write_text(file.read_text().replace(', "quiet": true', ""))
    batch = submit(grid, "--file", file, "--name", "from here", "--quiet")
    grid.dugnad("watch", batch, "--quiet", "--timeout", "30s")
    status = grid.status(batch)
    assert (status["name"], status["units"], status["priority"]) == ("from here", 4, 3)
    assert sorted(grid.answers(batch).values()) == sorted(f"{n}\n{i}\n" for n in (5, 6) for i in (1, 2))
    found = [x["batch"] for x in json.loads(grid.dugnad("ls", "--label", "paper=seven", "--json"))["items"]]
    assert found == [batch]
    assert json.loads(grid.dugnad("ls", "--label", "paper=eight", "--json"))["items"] == []


def test_the_schema_of_the_batch_file_has_every_option_and_no_other(grid):
    schema = json.loads(SCHEMA.read_text())
    own = set(re.findall(r"^ +(?:-\w, )? *--([a-z-]+)", grid.dugnad("submit", "--help"), re.M))
    common = {"help", "json", "quiet", "profile", "url", "token-file", "file"}
    assert set(schema["properties"]) - {"$schema", "app", "command"} == own - common


def test_a_dry_run_runs_the_first_unit_and_says_where_it_is_better_run(grid, world):
    said = submit(grid, "say", "--array", "1..20", "--dry-run", "--", "{}")
    assert "nothing was sent" in said and "All 20 units" in said and "--local" in said
    lines = submit(grid, "say", "--array", "1..20", "--dry-run", "--json", "--", "{}").splitlines()
    estimate = json.loads(lines[-1])
    assert estimate["units"] == 20 and estimate["own_machine"] and estimate["cores"] > 0
    assert json.loads(lines[1])["outcome"] == "ok"


def test_a_whole_batch_at_home_fills_the_same_folder_and_goes_on(grid, world):
    out = world.folder / "home"
    # no server: another address, the packed app
    no_server = {"DUGNAD_CONFIG": str(world.folder / "nobody.json")}
    words = ("say", "--bundle", world.folder / "app-say", "--array", "0..9", "--local", "--out", out, "--jobs", 3)
    said = submit(grid, *words, "--", "--exit", "{}", "end", status=1, env=no_server)
    assert str(out) in said
    lines = [json.loads(x) for x in (out / "results.ndjson").read_text().splitlines()]
    assert {x["unit"]: x["state"] for x in lines} == {f"local.{i}": "accepted" if i == 0 else "failed" for i in range(10)}
    assert (out / "local.0" / "out.txt").read_text() == "end\n"
    submit(grid, *words, "--", "{}", env=no_server)  # what failed comes again
    lines = [json.loads(x) for x in (out / "results.ndjson").read_text().splitlines()]
    assert sorted(x["unit"] for x in lines) == [f"local.{i}" for i in range(10)]
    assert (out / "local.0" / "out.txt").read_text() == "end\n", "what was done is not done again"
    assert [(out / f"local.{i}" / "out.txt").read_text() for i in range(1, 10)] == [f"{i}\n" for i in range(1, 10)]
    assert len((out / "results.csv").read_text().splitlines()) == 11


def test_one_group_of_failures_is_retried_alone(grid, world):
    (world.folder / "codes").write_text("3\n4\n3\n")
    batch = run(grid, "--each-line", world.folder / "codes", "--max-errors", 0, "--", "--exit", "{}", status=1)
    groups = json.loads(grid.dugnad("failures", batch, "--json"))["items"]
    number = 1 + next(i for i, g in enumerate(groups) if g["exit_code"] == 4)
    assert json.loads(grid.dugnad("retry", batch, "--group", number, "--json")) == {"failed": 3, "again": 1}
    grid.dugnad("watch", batch, "--timeout", "30s", "--quiet", status=1)
    histories = [len(grid.unit(f"{batch}.{i}")["history"]) for i in range(3)]
    assert histories[1] > histories[0] == histories[2]
    assert "groups" in grid.dugnad("retry", batch, "--group", 9, status=4)


def test_the_priority_of_a_batch_can_be_changed(grid, world):
    batch = submit(grid, "say", "--array", "1..2", "--quiet", "--", "{}")
    grid.dugnad("priority", batch, 12)
    assert grid.status(batch)["priority"] == 12
    grid.dugnad("cancel", batch)


def test_a_web_hook_is_asked_for(grid, world):
    batch = submit(grid, "say", "--array", "1..1", "--quiet", "--notify", "http://127.0.0.1:9/done", "--", "{}")
    grid.dugnad("cancel", batch)
    assert "address" in submit(grid, "say", "--array", "1..1", "--notify", "me@example.org", "--", "{}", status=2)


def test_the_same_key_again_names_the_batch_that_has_all_its_units_already(grid, world):
    (world.folder / "keyed").write_text("1\n2\n3\n")
    words = ("say", "--each-line", world.folder / "keyed", "--key", "once", "--quiet", "--", "{}")
    batch = submit(grid, *words)
    assert submit(grid, *words) == batch
    (world.folder / "keyed").write_text("1\n2\n")
    assert "with 3 of 2 units" in submit(grid, *words, status=5)


def test_a_program_that_was_given_a_wrong_name_is_told_which_files_there_were(grid, world):
    (world.folder / "n1.txt").write_text("1\n")
    words = ("app", "run", world.folder / "app-say" / "bundle.tar", "--out", world.folder / "tried", "--input", f"{world.folder}/n1.txt=in/n1.txt", "--", "--read")
    done = subprocess.run([BIN / "dugnad", *words, "n1.txt"], env=grid.env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stderr.endswith("the files in its working folder were:\n  in/n1.txt\n"), done.stderr
    done = subprocess.run([BIN / "dugnad", *words, "in/n1.txt"], env=grid.env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr.endswith(f"{world.folder}/tried/out.txt\n"), done.stderr


def test_a_program_that_is_never_the_same_twice_is_not_said_to_have_a_bug_in_its_memory(grid, world):
    grid.dugnad("app", "pack", "mktemp", "--quiet", "--out", world.folder / "app-mktemp")
    told = grid.dugnad("app", "check-determinism", world.folder / "app-mktemp" / "bundle.tar", "--", "-u", status=1)
    assert "not the same twice" in told and "valgrind" not in told


def test_a_purged_batch_is_told_from_one_that_lost_its_files(grid, world):
    small, large = (run(grid, "--array", "1..1", "--", "--bytes", size) for size in (9, 9000))
    for batch in (small, large):
        grid.dugnad("purge", batch, "--quiet")
        eventually(lambda: "purged" in grid.dugnad("status", batch), what="it is purged")
    assert grid.dugnad("cat", f"{small}.0") == 9 * "x"
    eventually(lambda: grid.unit(f"{large}.0")["purged"])
    assert "purged" in grid.dugnad("cat", f"{large}.0", status=4)
    assert "purged" in grid.dugnad("results", large, "--out", world.folder / "gone", status=4)
