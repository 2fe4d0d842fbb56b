"""Batches that ended long ago leave the database as a file each: nothing of them is lost, whatever is killed meanwhile."""

import base64
import gzip
import hashlib
import json
import time

import pytest

from grid import digest, eventually, set_conf

UNITS = 300


@pytest.fixture(scope="module", autouse=True)
def say(grid):
    grid.publish("dugnad-say")


def rows(grid, table, where="1 = 1"):
    return int(grid.asked(f"SELECT count(*) FROM {table} WHERE {where}"))


def of_batch(batch):
    return f"id >> 32 = {batch}"


def archive(grid, batch):
    reply = grid.api.ask("GET", f"/v1/batches/{batch}/archive")
    return reply.json if reply.status == 200 else None


def work_off(grid, hosts, batch):
    eventually(lambda: [h.work_off() for h in hosts] and grid.status(batch)["state"] == "done", 60)


def with_archives(grid, after):
    grid.server.end()
    set_conf(grid.data / "server.conf", archive_after=after)
    grid.start()
    grid.api.close()
    for host in grid.hosts:
        host.api.close()


def lines_of(path):
    text = gzip.open(path).read()
    lines = text.splitlines(keepends=True)
    end = json.loads(lines[-1])
    assert end["sha256"] == hashlib.sha256(b"".join(lines[:-1])).hexdigest() and end["units"] == len(lines) - 2
    return json.loads(lines[0]), [json.loads(x) for x in lines[1:-1]]


def test_an_old_batch_becomes_a_file_and_its_rows_go(grid, tmp_path):
    hosts = [grid.host(name) for name in ("ada", "bo", "ed")]
    old = grid.submit("say", lines=[f"word {n}" for n in range(UNITS)])
    first = hosts[0].take(1)
    hosts[0].report(*(hosts[0].error(a, "exit", exit_code=3, message="no", stderr="oh") for a in first))
    work_off(grid, hosts, old)
    before = grid.status(old)
    shown = grid.unit(f"{old}.7")
    assert rows(grid, "unit", of_batch(old)) == UNITS and rows(grid, "answer", f"unit >> 32 = {old}") > 0
    young = grid.submit("say", array=5)
    with_archives(grid, "1s")
    eventually(lambda: archive(grid, old), 30, what="the batch is archived")
    eventually(lambda: rows(grid, "unit", of_batch(old)) == 0 and rows(grid, "answer", f"unit >> 32 = {old}") == 0, 30)
    assert rows(grid, "answered", f"unit >> 32 = {old}") == 0
    assert rows(grid, "note", f"unit >> 32 = {old}") == rows(grid, "delivery", f"stream = {old}") == 0
    assert rows(grid, "unit", of_batch(young)) == 5, "what is not over stays"
    after = grid.status(old)
    assert after["archived"] and {k: v for k, v in after.items() if k != "archived"} == {k: v for k, v in before.items() if k != "archived"}
    grid.dugnad("archive", "get", old, "--out", tmp_path / "old.gz")
    batch, units = lines_of(tmp_path / "old.gz")
    assert batch["batch"] == str(old) or batch["batch"] == old
    assert [u["unit"] for u in units] == [f"{old}.{n}" for n in range(UNITS)]
    seven = units[7]
    assert {k: v for k, v in seven.items() if k != "outputs"} == {k: v for k, v in shown.items() if k != "outputs"}
    for n, unit in enumerate(units):
        output, = unit["outputs"]
        data = base64.b64decode(output["data"])
        assert data == f"word {n}\n".encode() and digest(data) == output["sha256"] and unit["history"]
    noted = [t for u in units for t in u["attempts"] if t["state"] == "errored"]
    assert len(noted) == 1 and noted[0]["stderr"] == "oh"
    for path in (f"batches/{old}/results", f"batches/{old}/units", f"batches/{old}/provenance", f"units/{old}.7", f"units/{old}.7/explain"):
        assert f"dugnad archive get {old}" in grid.api.ask("GET", f"/v1/{path}").refused(409, "stale")
    grid.api.ask("POST", f"/v1/batches/{old}/retry").refused(409, "stale")
    late, = first
    assert hosts[0].report(hosts[0].answer(late, "late\n"))[late]["code"] == "missing", "nobody knows its units any more"
    work_off(grid, hosts, young)
    eventually(lambda: archive(grid, young), 30)
    grid.api.post(f"/v1/batches/{old}/purge")
    blob = f"/v1/blobs/{hashlib.sha256((tmp_path / 'old.gz').read_bytes()).hexdigest()}"
    eventually(lambda: grid.api.ask("GET", blob).status == 404, 20, what="a purge takes the archive too")
    with_archives(grid, "0s")


def test_kills_at_any_moment_leave_all_of_it_in_one_place(grid, tmp_path):
    hosts = [grid.host(name) for name in ("cy", "di")]
    batches = [grid.submit("say", lines=[f"{n} of {b}" for n in range(UNITS)], quorum=1) for b in range(4)]
    for batch in batches:
        work_off(grid, hosts, batch)
    with_archives(grid, "1s")
    for n in range(12):
        time.sleep(0.02 * n)
        grid.kill_server()
        grid.api.close()
    for b, batch in enumerate(batches):
        eventually(lambda: archive(grid, batch) and rows(grid, "unit", of_batch(batch)) == 0, 60, what=f"batch {batch} is archived")
        grid.dugnad("archive", "get", batch, "--out", tmp_path / f"{batch}.gz")
        _, units = lines_of(tmp_path / f"{batch}.gz")
        assert [base64.b64decode(u["outputs"][0]["data"]).decode() for u in units] == [f"{n} of {b}\n" for n in range(UNITS)]
        assert grid.status(batch)["accepted"] == UNITS
    assert not list(grid.data.glob("archive-*")), "nothing is left beside"
