"""Files in a real S3 server: submitted, computed with and fetched; large ones in parts and by links; the store away, wrong
keys, what nobody holds."""

import hashlib
import json
import os
import sqlite3
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

from grid import BIN, Api, Grid, eventually, set_conf
from s3 import S3

LARGE = 40 << 20  # three parts of 16 MiB at most


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    store = S3(tmp_path_factory.mktemp("s3")).start()
    yield store
    if store.alive():
        store.go_on()
    store.kill()


@pytest.fixture(scope="module")
def grid(tmp_path_factory, s3):
    running = Grid(tmp_path_factory.mktemp("grid"))
    set_conf(running.data / "server.conf", **s3.conf(running.data))
    with running:
        running.publish("dugnad-say")
        yield running


def put(api, data, pieces=1):
    """Uploads as the protocol has it; the reply of the last piece."""
    name, at = hashlib.sha256(data).hexdigest(), 0
    for n in range(pieces):
        end = len(data) * (n + 1) // pieces
        reply = api.ask("PATCH", f"/v1/blobs/{name}", data[at:end],
                        {"Upload-Offset": at, "Upload-Length": len(data), "Content-Type": "application/octet-stream"})
        if reply.status not in (201, 204):
            return reply
        at = end
    return reply


def get(api, name, headers=()):
    return api.ask("GET", f"/v1/blobs/{name}", headers=headers)


def head(api, name):
    return api.ask("HEAD", f"/v1/blobs/{name}")


def body(letter, count):
    data = os.urandom(16).hex().encode() + letter.encode() * count
    return data, hashlib.sha256(data).hexdigest()


def forget_copies(grid, name):
    """As on another server, which has none."""
    for path in (grid.data / "blob-cache").glob(f"??/{name}"):
        path.unlink()


def test_a_batch_goes_from_its_inputs_to_its_answers(grid, s3, tmp_path):
    text = "s" * 3_000_000
    (tmp_path / "in").write_text(text)
    clients = [grid.client(name).start() for name in ("ada", "bo")]
    batch = grid.dugnad("submit", "say", "--each-line", "-", "--input", tmp_path / "in", "--quiet", "--watch", "--", "{}", "--read", "in",
                        stdin="v\nw\n", timeout=120).split()[0]
    grid.wait_done(batch)
    grid.dugnad("results", batch, "--out", tmp_path / "out")
    files = sorted(p.read_text() for p in (tmp_path / "out").rglob("*") if p.is_file() and p.stat().st_size > 1_000_000)
    assert files == ["v\n" + text, "w\n" + text]
    names = [hashlib.sha256(x.encode()).hexdigest() for x in [text, *files]]
    assert set(names) <= set(s3.objects())
    assert set(names) <= s3.linked(), "large files are fetched past our server"
    assert not (grid.data / "blobs").exists()
    for client in clients:
        client.end()
    grid.api.post(f"/v1/batches/{batch}/purge")
    eventually(lambda: not set(names[1:]) & set(s3.objects()), what="a purged batch's answers are gone from the bucket")
    assert names[0] in s3.objects(), "who uploaded the input still has it"


def test_a_large_file_goes_up_in_parts_and_goes_on_after_a_kill(grid, s3):
    data, name = body("l", LARGE)
    half = LARGE // 2
    up = {"Upload-Length": len(data), "Content-Type": "application/octet-stream"}
    assert grid.api.ask("PATCH", f"/v1/blobs/{name}", data[:half], {**up, "Upload-Offset": 0}).status == 204
    grid.kill_server()
    at = int(head(grid.api, name).headers["upload-offset"])
    assert at == half and name not in s3.objects()
    assert grid.api.ask("PATCH", f"/v1/blobs/{name}", data[at:], {**up, "Upload-Offset": at}).status == 201
    assert s3.objects()[name] == len(data)
    assert f"PUT /dugnad/blobs/{name}?partNumber=3" in s3.text(), "it went in parts"
    there = head(grid.api, name)
    assert there.status == 200 and int(there.headers["content-length"]) == len(data)
    forget_copies(grid, name)
    part = get(grid.api, name, {"Range": f"bytes={half}-{half + 99}"})
    assert part.status == 206 and part.body == data[half:half + 100]
    assert get(grid.api, name).body == data


def test_a_link_opens_that_file_alone_and_no_token_goes_along(grid, s3):
    data, name = body("k", 2_000_000)
    assert put(grid.api, data).status == 201
    reply = get(grid.api, name, {"Prefer": "redirect"})
    link = reply.headers["location"]
    assert reply.status == 307 and link.startswith(s3.url) and grid.token not in link
    with urllib.request.urlopen(urllib.request.Request(link, headers={"Range": "bytes=10-19"})) as part:
        assert part.status == 206 and part.read() == data[10:20]
    for wrong in (link.replace(name, "0" * 64), link[:-1] + ("0" if link[-1] != "0" else "1"), link.partition("?")[0]):
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(wrong)
    small, name = body("k", 1000)
    put(grid.api, small)
    assert get(grid.api, name, {"Prefer": "redirect"}).body == small


def test_a_changed_object_is_not_passed_on(grid, s3):
    data, name = body("c", 5000)
    assert put(grid.api, data).status == 201
    forget_copies(grid, name)
    path, = (p for p in s3.files.glob("devices/**/*.data") if p.read_bytes() == data)
    path.write_bytes(b"x" + data[1:])
    assert "another digest" in get(grid.api, name).refused(500, "corrupt")


@pytest.mark.parametrize("away", ["killed", "hung"])
def test_the_store_is_away_for_a_while_and_nothing_is_lost(grid, s3, away):
    kept, kept_name = body("a", 50_000)
    data, name = body("b", 50_000)
    assert put(grid.api, kept).status == 201
    forget_copies(grid, kept_name)
    host, batch = grid.host(f"small-{away}"), grid.submit("say", array=3, quorum=1)
    s3.kill() if away == "killed" else s3.hang()
    put(grid.api, data).refused(503, "busy")
    get(grid.api, kept_name).refused(503, "busy")
    began = time.monotonic()
    put(grid.api, data).refused(409, "conflict")  # all of it is here: only its end is missing
    assert int(head(grid.api, name).headers["upload-offset"]) == len(data)
    for _ in range(8):
        get(grid.api, kept_name).refused(503, "busy")
        assert grid.api.get("/v1/batches")["items"]
    assert time.monotonic() - began < (5 if away == "killed" else 25), "who asks while it is away is told at once"
    assert eventually(lambda: host.work_off() or None, 10) and grid.wait_done(batch)["accepted"] == 3  # small answers go on
    if away == "killed":
        grid.kill_server()
        s3.start()
    else:
        s3.go_on()
    end = {"Upload-Offset": len(data), "Upload-Length": len(data), "Content-Type": "application/octet-stream"}
    eventually(lambda: grid.api.ask("PATCH", f"/v1/blobs/{name}", b"", end).status == 201, 30, 0.2, "the upload ends")
    eventually(lambda: get(grid.api, kept_name).body == kept, 30, 0.2, "what was there is there")
    assert get(grid.api, name).body == data and s3.objects()[name] == len(data)


def test_clients_wait_for_a_store_that_is_away(grid, s3, tmp_path):
    text = "t" * 1_500_000
    (tmp_path / "in").write_text(text)
    client = grid.client("eve").start()
    batch = grid.dugnad("submit", "say", "--each-line", "-", "--input", tmp_path / "in", "--quorum", 1, "--quiet", "--", "{}", "--sleep", 2000,
                        "--read", "in", stdin="p\nq\n").strip()
    eventually(lambda: grid.status(batch)["leased"] > 0, 30)
    eventually(lambda: "started" in client.text(), 30)
    s3.kill()
    eventually(lambda: "ended" in client.text(), 60)
    time.sleep(3)  # its upload is refused meanwhile
    s3.start()
    assert grid.wait_done(batch, 120)["accepted"] == 2
    client.end()
    grid.dugnad("results", batch, "--out", tmp_path / "out")
    assert sorted(p.read_text()[:1] for p in (tmp_path / "out").rglob("*") if p.is_file() and p.stat().st_size > 1_000_000) == ["p", "q"]


def swept(grid):
    grid.server.start()
    grid.wait_ready()
    grid.api.close()
    eventually(lambda: grid.server.text().count("swept"), 20, what="the bucket is swept")


def test_what_no_row_names_is_swept_and_nothing_else(grid, s3):
    held, held_name = body("h", 9000)
    left, left_name = body("o", 9000)
    part, part_name = body("z", 9000)
    for data in (held, left):
        assert put(grid.api, data).status == 201
    up = {"Upload-Offset": 0, "Upload-Length": len(part), "Content-Type": "application/octet-stream"}
    assert grid.api.ask("PATCH", f"/v1/blobs/{part_name}", part[:4000], up).status == 204
    grid.server.end()
    db = sqlite3.connect(grid.data / "project.db")
    for table in ("far_blob", "blob_hold"):  # a server that was killed before its transaction leaves the same
        db.execute(f"DELETE FROM {table} WHERE digest = ?", (bytes.fromhex(left_name),))
    db.commit()
    db.close()
    grid.server.log.write_text("")
    set_conf(grid.data / "server.conf", upload_kept="1h", log_level="debug")
    swept(grid)
    assert {held_name, left_name} <= set(s3.objects()), "a young one may be about to get its row"
    assert int(head(grid.api, part_name).headers["upload-offset"]) == 4000
    grid.server.end()
    grid.server.log.write_text("")
    set_conf(grid.data / "server.conf", upload_kept="1s")
    time.sleep(2.1)  # the age of the one that is to go
    swept(grid)
    objects = s3.objects()
    assert left_name not in objects and held_name in objects
    forget_copies(grid, held_name)
    assert get(grid.api, held_name).body == held
    assert put(grid.api, left).status == 201 and get(grid.api, left_name).body == left
    grid.server.end()
    set_conf(grid.data / "server.conf", upload_kept="7d", log_level="info")
    grid.start()
    grid.api.close()


def test_a_kill_while_a_file_is_put_loses_nothing(grid, s3):
    data, name = body("u", 3_000_000)
    s3.hang()

    def send():
        try:
            put(Api(grid, grid.token), data)
        except Exception:
            pass  # its server is killed
    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    eventually(lambda: int(head(grid.api, name).headers.get("upload-offset", 0)) == len(data), 20, what="all of it is here")
    grid.server.kill()
    s3.go_on()
    grid.start()
    grid.api.close()
    end = {"Upload-Offset": len(data), "Upload-Length": len(data), "Content-Type": "application/octet-stream"}
    assert grid.api.ask("PATCH", f"/v1/blobs/{name}", b"", end).status == 201
    assert get(grid.api, name).body == data


def test_a_wrong_key_is_told_to_the_operator_and_to_nobody_else(grid, s3):
    data, name = body("w", 3000)
    grid.server.end()
    secret = grid.data / "s3.secret"
    secret.write_text("wrong\n")
    grid.server.start()
    grid.wait_ready()
    grid.api.close()
    said = put(grid.api, data).refused(503, "busy")
    assert "operator" in said and "testing" not in said
    eventually(lambda: "object-store" in grid.server.text() and "SignatureDoesNotMatch" in grid.server.text(), 10)
    found = grid_doctor(grid)
    assert any(x["level"] == "error" and x["name"] == "object store" for x in found), found
    secret.write_text("testing\n")
    grid.server.restart()
    grid.wait_ready()
    grid.api.close()
    end = {"Upload-Offset": len(data), "Upload-Length": len(data), "Content-Type": "application/octet-stream"}
    assert grid.api.ask("PATCH", f"/v1/blobs/{name}", b"", end).status == 201
    assert not any(x["level"] == "error" and x["name"] == "object store" for x in grid_doctor(grid))
    grid.server.end()
    secret.chmod(0o644)
    grid.server.start()
    eventually(lambda: not grid.server.alive(), 10, what="a secret that others can read is refused")
    assert "chmod 600" in grid.server.text()
    secret.chmod(0o600)
    grid.start()


def grid_doctor(grid):
    done = subprocess.run([BIN / "dugnad-server", "--data", grid.data, "doctor", "--json"], text=True, capture_output=True, timeout=60)
    return json.loads(done.stdout)["findings"]


def server_command(grid, *words):
    return subprocess.run([BIN / "dugnad-server", "--data", grid.data, *words], text=True, capture_output=True, timeout=120)


def test_files_move_into_the_store_and_back(tmp_path, s3):
    with Grid(tmp_path) as grid:
        grid.publish("dugnad-say")
        files = [body("m", n) for n in (3000, 2_000_000, 17 << 20)]
        for data, _ in files:
            assert put(grid.api, data).status == 201
        refused = server_command(grid, "migrate", "--blobs", "s3://dugnad/moved")
        assert refused.returncode == 5 and "stop it first" in refused.stderr
        grid.server.end()
        set_conf(grid.data / "server.conf", **{k: v for k, v in s3.conf(grid.data).items() if k != "blobs"})
        damaged = grid.data / "blobs" / files[0][1][:2] / files[0][1]
        good = damaged.read_bytes()
        damaged.write_bytes(b"x" + good[1:])
        told = server_command(grid, "migrate", "--blobs", "s3://dugnad/moved")
        assert told.returncode != 0 and "digest" in told.stderr and "blobs = s3" not in (grid.data / "server.conf").read_text()
        damaged.write_bytes(good)
        s3.kill()
        assert server_command(grid, "migrate", "--blobs", "s3://dugnad/moved").returncode == 7
        s3.start()
        moved = server_command(grid, "migrate", "--blobs", "s3://dugnad/moved")
        assert moved.returncode == 0 and "each was read again there" in moved.stdout, moved
        assert not (grid.data / "blobs").exists() and "blobs = s3://dugnad/moved" in (grid.data / "server.conf").read_text()
        grid.start()
        grid.api.close()
        for data, name in files:
            assert get(grid.api, name).body == data
        batch = grid.submit("say", array=1, quorum=1)
        client = grid.client("mo").start()
        grid.wait_done(batch)
        client.end()
        grid.server.end()
        back = server_command(grid, "migrate", "--blobs", "blobs")
        assert back.returncode == 0, back
        grid.start()
        grid.api.close()
        for data, name in files:
            assert get(grid.api, name).body == data and (grid.data / "blobs" / "holds" / "u1" / name).stat().st_nlink >= 2
        assert b"<Key>" not in s3.ask("GET", "/dugnad", "list-type=2&prefix=moved%2F")[1], "the bucket has nothing of it any more"
