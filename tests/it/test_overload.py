"""More than the server can bear: who is turned away is told when to come back, and health checks and operators are heard."""

import errno
import json
import os
import subprocess
import threading
import time

import pytest

from grid import BIN, Api, Grid, Host, eventually


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


def fill(disk):
    """To the last block: what the database has of its own is all that can still be written."""
    filler = os.open(disk / "filler", os.O_WRONLY | os.O_CREAT)
    try:
        for size in (1 << 20, 4096):
            try:
                while True:
                    os.write(filler, b"\0" * size)
            except OSError as e:
                assert e.errno == errno.ENOSPC
    finally:
        os.close(filler)


def test_a_disk_that_is_full_to_the_last_byte_loses_nothing_and_all_goes_on_by_itself(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("a small disk of one's own needs root and mounts")
    try:
        with Grid(disk, alert_wait="0s", alert_disk="32M") as grid:
            grid.publish("dugnad-say", "say")
            words = [f"line {n}" for n in range(120)]
            batch = grid.submit("say", lines=words, quorum=2)
            hosts = [grid.host(f"pc {n}") for n in range(4)]
            acknowledged, refused = set(), 0
            for turn in range(6):
                if turn == 2:
                    fill(disk)
                for host in hosts:  # what is not acknowledged stays with the host, and is told again
                    reply = host.api.ask("POST", "/v1/work", dict(reports=[host.answer(a, f"{u['word']}\n") for a, u in host.held.items()], held=list(host.held),
                                                                  want=dict(seconds=1e6, cores=4, units_max=10)))
                    if reply.status != 200:
                        assert reply.status in (503, 507), reply.body
                        refused += 1
                        continue
                    for ack in reply.json["acks"]:
                        if ack["code"] == "ok":
                            acknowledged.add(ack["attempt"])
                            host.held.pop(ack["attempt"])
                    for unit in reply.json["units"]:
                        if "spec" in unit:
                            unit["word"] = json.loads(unit["spec"])["vars"][""]
                            host.held[unit["attempt"]] = unit
                if turn == 3:
                    ready = grid.api.ask("GET", "/readyz")
                    assert eventually(lambda: grid.api.ask("GET", "/readyz").status == 503, 15), ready.body
                    assert eventually(lambda: [a for a in grid.api.get("/v1/stats")["alerts"] if a["kind"] == "disk"], 15)
            assert refused > 0 and acknowledged
            (disk / "filler").unlink()
            eventually(lambda: grid.api.ask("GET", "/readyz").status == 200, 20, what="it is ready again by itself")
            for host in hosts:
                host.report(*(host.answer(a, f"{u['word']}\n") for a, u in host.held.items()))
            eventually(lambda: [h.work_off() for h in hosts] and grid.status(batch)["state"] == "done", 60, every=0.2)
            assert sorted(grid.answers(batch).values()) == sorted(f"{w}\n" for w in words)
            grid.server.end()  # and what is on the disk is whole
            assert "whole" in subprocess.run([BIN / "dugnad-server", "--data", grid.data, "audit"], capture_output=True, text=True, check=True).stdout
            grid.start()
            for attempt in acknowledged:
                assert grid.attempt(attempt)["state"] in ("valid", "reported"), attempt
            eventually(lambda: not [a for a in grid.api.get("/v1/stats")["alerts"] if a["kind"] == "disk"], 20, what="the alert's end is told")
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_server_that_validates_nothing_though_work_waits_is_not_ready_and_says_why(tmp_path):
    with Grid(tmp_path, ready_stalled="4s") as grid:
        grid.publish("dugnad-say", "say")
        batch = grid.submit("say", lines=["a", "b"], quorum=1)
        host = grid.host("ada")
        came = host.take(1)
        reply = eventually(lambda: (r := grid.api.ask("GET", "/readyz")).status == 503 and r, 40, every=0.3)
        assert "nothing was validated" in reply.json["reasons"][0] and "2 units wait" in reply.json["reasons"][0]
        assert Api(grid).ask("GET", "/healthz").status == 200  # it serves: a restart would not help
        host.report(*(host.answer(a, "a\n") for a in came))
        eventually(lambda: grid.api.ask("GET", "/readyz").status == 200, 10)
        host.work_off()
        grid.wait_done(batch)
