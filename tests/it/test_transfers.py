"""Large files between server and client, cut off in the middle by a kill of either: they go on where they stopped."""

import hashlib

import pytest

from grid import eventually

BYTES = 6_000_000
WAY = "1M"  # bytes per second, so that there is a middle
CONF = dict(contact="1s", contact_idle="1s")


@pytest.fixture(scope="module", autouse=True)
def say(grid):
    grid.publish("dugnad-say")


def arrived(grid, name):
    """How much of an upload is at the server."""
    sizes = [x.stat().st_size for x in grid.data.glob(f"**/uploads/*/{name}")]  # only its host is told how much
    if sizes:
        return sizes[0]
    return BYTES if grid.api.ask("HEAD", f"/v1/blobs/{name}").status == 200 else 0


@pytest.mark.parametrize("killed, letter", [("client", "x"), ("server", "y")])
def test_an_upload_goes_on_where_it_stopped(grid, tmp_path, killed, letter):
    text = letter * BYTES
    (tmp_path / "in").write_text(text)
    out = hashlib.sha256(("w\n" + text).encode()).hexdigest()
    client = grid.client(f"up-{killed}", upload_bytes_s=WAY).start()
    batch = grid.dugnad("submit", "say", "--each-line", "-", "--input", tmp_path / "in", "--quorum", 1, "--quiet", "--",
                        "{}", "--read", "in", stdin="w\n").strip()
    before = eventually(lambda: arrived(grid, out) if arrived(grid, out) > BYTES / 3 else None, 30, 0.05, "a third is there")
    assert before < BYTES, "this was to be the middle"
    client.restart() if killed == "client" else grid.kill_server()
    least = arrived(grid, out)
    assert least >= before * 0.9, "what had arrived is kept"

    def done():
        assert arrived(grid, out) >= least, "it began anew"
        return grid.status(batch)["state"] == "done"
    eventually(done, 60, 0.2, "the batch is done")
    item, = grid.results(batch)
    assert item["state"] == "accepted" and item["outputs"][0]["sha256"] == out
    client.end()


@pytest.mark.parametrize("killed, letter", [("client", "a"), ("server", "b")])
def test_a_download_goes_on_where_it_stopped(grid, tmp_path, killed, letter):
    text = letter * BYTES
    (tmp_path / "in").write_text(text)
    name = hashlib.sha256(text.encode()).hexdigest()
    client = grid.client(f"down-{killed}", download_bytes_s=WAY).start()
    part, whole = client.data / "cache" / "parts" / name, client.data / "cache" / "files" / name

    def come():
        try:
            return BYTES if whole.exists() else part.stat().st_size
        except FileNotFoundError:
            return BYTES if whole.exists() else 0
    batch = grid.dugnad("submit", "say", "--each-line", "-", "--input", tmp_path / "in", "--quorum", 1, "--quiet", "--",
                        "{}", "--read", "in", stdin="w\n").strip()
    before = eventually(lambda: come() if come() > BYTES / 3 else None, 30, 0.05, "a third has come")
    assert before < BYTES, "this was to be the middle"
    client.restart() if killed == "client" else grid.kill_server()

    def done():
        assert come() >= before, "it began anew"
        return grid.status(batch)["state"] == "done"
    eventually(done, 60, 0.1, "the batch is done")
    assert grid.status(batch)["accepted"] == 1
    client.end()


def test_the_same_input_is_fetched_once(grid, tmp_path):
    (tmp_path / "in").write_text("shared " * 1000)
    name = hashlib.sha256((tmp_path / "in").read_bytes()).hexdigest()
    client = grid.client("once").start()
    for word in ("one", "two"):
        batch = grid.dugnad("submit", "say", "--each-line", "-", "--input", tmp_path / "in", "--quorum", 1, "--quiet", "--",
                            "{}", "--read", "in", stdin=f"{word}\n").strip()
        assert grid.wait_done(batch)["accepted"] == 1
        kept = client.data / "cache" / "files" / name
        if word == "one":
            first = kept.stat().st_ino
    assert kept.stat().st_ino == first
    client.end()
