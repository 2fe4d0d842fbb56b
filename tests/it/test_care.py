"""A project is backed up while it serves, lost, brought back; dumped and loaded; moved to PostgreSQL and back: the work goes on."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from grid import BIN, Grid, eventually

PG_TEMP = Path(__file__).resolve().parents[1] / "lib" / "pg_temp.sh"
UNITS = 60
MOVED = int(os.environ.get("MOVE_UNITS", "2000"))  # 1000000 is the long form; its figures are in tests/README.md


@pytest.fixture
def grid(tmp_path):
    with Grid(tmp_path) as running:
        running.login()
        running.publish("dugnad-say", "say")
        yield running


def server(grid, *words, status=0, data=None):
    done = subprocess.run([BIN / "dugnad-server", "--data", data or grid.data, *words], text=True, capture_output=True, timeout=1200)
    assert done.returncode == status, done
    return done.stdout if status == 0 else done.stderr


def half_done(grid):
    """A batch of which two hosts have done a part; one of them holds leases."""
    hosts = [grid.host("ada"), grid.host("bo")]
    batch = grid.submit("say", lines=[f"line {n}" for n in range(UNITS)])
    for host in hosts:
        host.work_off(most=20)
    hosts[0].take(5)
    return batch, hosts


def finish(grid, batch, hosts):
    for host in hosts:  # what they hold since before is as good as ever
        host.api.close()
        host.report(*[host.answer(a, f"{u['word']}\n") for a, u in host.held.items()])
    eventually(lambda: [h.work_off() for h in hosts] and grid.status(batch)["state"] == "done", 60)
    assert grid.status(batch)["accepted"] == UNITS
    answers = grid.answers(batch)
    assert sorted(answers.values() if isinstance(answers, dict) else answers) == sorted(f"line {n}\n" for n in range(UNITS))


def test_a_backup_of_a_serving_project_brings_it_back(grid, tmp_path):
    batch, hosts = half_done(grid)
    before = grid.status(batch)
    assert "as it was at this moment" in server(grid, "backup", tmp_path / "backup")
    assert not (tmp_path / "backup" / "offline-keys").exists() and (tmp_path / "backup" / "keys" / "work.pem").stat().st_mode & 0o77 == 0
    assert "name a new folder" in server(grid, "backup", tmp_path / "backup", status=5)
    grid.server.kill()
    shutil.rmtree(grid.data)  # the disk is gone
    server(grid, "restore", tmp_path / "backup")
    assert "name a new folder" in server(grid, "restore", tmp_path / "backup", status=5)
    grid.server.start()
    grid.wait_ready()
    grid.api.close()
    after = grid.status(batch)
    assert {k: after[k] for k in ("units", "accepted", "failed")} == {k: before[k] for k in ("units", "accepted", "failed")}
    finish(grid, batch, hosts)


def test_a_backup_that_is_cut_or_changed_is_refused(grid, tmp_path):
    server(grid, "backup", tmp_path / "backup")
    database = tmp_path / "backup" / "project.db"
    content = bytearray(database.read_bytes())
    content[len(content) // 2] ^= 1
    database.write_bytes(content)
    assert "not as it was written" in server(grid, "restore", tmp_path / "backup", data=tmp_path / "new", status=12)
    (tmp_path / "backup" / "BACKUP.json").unlink()
    assert "no whole backup" in server(grid, "restore", tmp_path / "backup", data=tmp_path / "new", status=4)
    assert not (tmp_path / "new").exists()


def test_a_dump_is_readable_and_loads_into_an_empty_database(grid, tmp_path):
    half_done(grid)
    sums = server(grid, "dump", tmp_path / "dump")
    rows = [json.loads(line) for line in (tmp_path / "dump").read_text().splitlines()]
    assert len(rows) > UNITS and "unit" in sums
    server(grid, "backup", tmp_path / "other")
    for name in (tmp_path / "other").glob("project.db*"):
        name.unlink()
    other = tmp_path / "other"
    assert server(grid, "load", tmp_path / "dump", data=other) == sums
    assert "dugnad-server: " in server(grid, "load", tmp_path / "dump", data=other, status=5)  # something is there
    assert "stop it first" in server(grid, "load", tmp_path / "dump", status=5)


@pytest.fixture(scope="module")
def postgres():
    with subprocess.Popen(["bash", PG_TEMP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def new():
            process.stdin.write("new\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        yield new
        process.stdin.close()
        process.wait(30)


def test_a_project_with_work_in_flight_moves_to_postgresql_and_back(grid, postgres):
    url = postgres()
    more = grid.dugnad("submit", "say", "--quiet", "--array", f"1..{MOVED}", "--", "{}", timeout=300).strip()
    eventually(lambda: grid.status(more)["units"] == MOVED, 120)  # an array is made into units as the server finds time
    batch, hosts = half_done(grid)
    assert "stop it first" in server(grid, "migrate", "--to", url, status=5)
    grid.server.end()
    said = server(grid, "migrate", "--to", url)
    assert "same rows and digest" in said
    print(said)
    assert not (grid.data / "project.db").exists() and f"database = {url}" in (grid.data / "server.conf").read_text()
    assert "already" in server(grid, "migrate", "--to", url, status=2)
    grid.server.start()
    grid.wait_ready()
    grid.api.close()
    for host in hosts:  # leases that were given before the move are good after it
        host.api.close()
    assert hosts[1].work_off(most=3) == 3
    grid.server.end()
    print(server(grid, "migrate", "--to", "sqlite:project.db"))
    grid.server.start()
    grid.wait_ready()
    grid.api.close()
    assert grid.status(more)["units"] == MOVED
    grid.dugnad("cancel", more)
    finish(grid, batch, hosts)
    assert server(grid, "dump").count('"unit"') > 0


def test_a_move_into_a_database_that_holds_something_changes_nothing(grid, postgres):
    url = postgres()
    grid.server.end()
    server(grid, "migrate", "--to", url)
    server(grid, "migrate", "--to", "sqlite:project.db")
    conf = (grid.data / "server.conf").read_text()
    server(grid, "migrate", "--to", url, status=5)
    assert (grid.data / "server.conf").read_text() == conf and (grid.data / "project.db").exists()
    grid.server.start()
    grid.wait_ready()


def test_a_changed_audit_log_is_found(grid):
    for n in range(3):
        grid.submit("say", lines=[str(n)])
    said = server(grid, "audit")
    noted = said.rstrip().rpartition(" ")[2]
    assert "is whole: 7 entries" in said and server(grid, "audit", "--has", noted) == said
    grid.api.post("/v1/tokens", dict(name="another"))
    assert "is whole: 8 entries" in server(grid, "audit", "--has", noted)
    assert "usage" in server(grid, "audit", "--has", "4", status=2)
    grid.server.end()
    good = (grid.data / "project.db").read_bytes()

    def after(*statements):
        for name in grid.data.glob("project.db-*"):
            name.unlink()
        (grid.data / "project.db").write_bytes(good)
        subprocess.run(["sqlite3", grid.data / "project.db", *statements], check=True)
        return server(grid, "audit", "--has", noted, status=12)

    assert "entry 3 of the audit log" in after("update audit set subject = '7' where seq = 3")
    assert "no entry 2" in after("delete from audit where seq = 2")
    assert "entry 1 of the audit log" in after("update audit set user_id = 9 where seq = 1")
    assert "not there" in after("delete from audit where seq >= 7"), "what is cut off at the end is found by what was noted"
    (grid.data / "project.db").write_bytes(good)
    grid.server.start()
    grid.wait_ready()
