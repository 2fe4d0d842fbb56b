"""More than the server can bear: who is turned away is told when to come back, and health checks and operators are heard."""

import os
import subprocess
import threading
import time

import pytest

from grid import Api, Grid, Host, eventually


@pytest.fixture
def small(tmp_path):
    with Grid(tmp_path, connections=40, queue=16, workers=2, threads=2) as grid:
        yield grid


def quick(grid, path, token=None, most=2.0):
    """A question over a new connection, answered in time."""
    began = time.monotonic()
    api = Api(grid, token)
    reply = api.once("GET", path)
    api.close()
    assert reply.status == 200, (path, reply.status, reply.body)
    took = time.monotonic() - began
    assert took < most, f"{path} took {took:.1f} s"


def test_hosts_that_keep_their_connections_do_not_lock_out_others(small):
    host, held = small.host("ada"), []
    try:
        for _ in range(120):  # three times as many as the server takes at once
            api = Api(small, host.api.token)
            assert api.once("GET", "/v1/whoami").status == 200
            held.append(api)
        kept = sum(api.connection is not None for api in held)
        assert 20 <= kept < 40, f"{kept} connections were left open: from three quarters on they are closed after the reply"
        quick(small, "/healthz")
        quick(small, "/v1/batches", small.token)
    finally:
        for api in held:
            api.close()


def test_in_a_flood_of_hosts_health_and_operators_are_heard_and_the_rest_is_told_when_to_come_back(small):
    small.publish("dugnad-say", "say")
    small.submit("say", array=2000, quorum=1)
    hosts = [Host(small, f"h{i}") for i in range(24)]
    stop, seen, trouble = threading.Event(), {}, []

    def flood(host):
        try:
            while not stop.is_set():
                reply = host.api.ask("POST", "/v1/work", dict(reports=[], held=[], want=dict(seconds=1, cores=1, units_max=1)))
                seen[reply.status] = seen.get(reply.status, 0) + 1
                if reply.status != 200:
                    reply.refused(503, "busy")
        except Exception as e:  # noqa: BLE001 - told by the main thread
            trouble.append(e)
    threads = [threading.Thread(target=flood, args=(h,)) for h in hosts]
    for t in threads:
        t.start()
    try:
        end = time.monotonic() + 4
        while time.monotonic() < end:
            quick(small, "/healthz")
            quick(small, "/v1/batches", small.token)
            small.submit("say", array=3, quorum=1)  # a change waits behind nobody but other people
    finally:
        stop.set()
        for t in threads:
            t.join()
        for h in hosts:
            h.api.close()
    assert not trouble, trouble[:3]
    assert seen.get(200, 0) > 100, seen


def test_while_it_is_too_busy_no_batch_is_begun_and_work_goes_on(tmp_path):
    with Grid(tmp_path, load_max=0.000001) as grid:  # its own chores are too much for it
        grid.publish("dugnad-say", "say")
        host = grid.host("ada")
        grid.user("scientist")
        refused = eventually(lambda: (r := grid.api.ask("POST", "/v1/batches", dict(app="say", command=["{}"], array=dict(first=1, last=3))))
                             .status == 503 and r, 20)
        refused.refused(503, "busy")
        assert int(refused.headers["retry-after"]) >= 30 and "what is being computed goes on" in refused.json["error"]["message"], refused.json
        assert host.work()["acks"] == []


def test_a_disk_that_fills_takes_no_batch_before_it_takes_no_answer(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("a small disk of one's own needs root and mounts")
    try:
        with Grid(disk) as grid:
            grid.publish("dugnad-say", "say")
            host = grid.host("ada")
            batch = grid.submit("say", lines=["a"], quorum=1)
            came = host.take(1)
            filler = disk / "filler"
            free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize
            filler.write_bytes(b"\0" * (free - (4 << 20)))  # a sixteenth is left: less than a tenth, more than disk_free_min
            refused = grid.api.ask("POST", "/v1/batches", dict(app="say", command=["{}"], array=dict(first=1, last=3)))
            refused.refused(507, "full")
            assert "the operator must make room" in refused.json["error"]["message"]
            assert [ack["code"] for ack in host.report(*(host.answer(a, "a\n") for a in came)).values()] == ["ok"]
            assert grid.status(batch)["state"] == "done"
            filler.unlink()
            grid.submit("say", lines=["b"], quorum=1)
            grid.cancel_all()
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
