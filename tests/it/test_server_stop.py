"""SIGTERM while requests are half said: whatever comes when the server's parts have ended already is told to come back, and the server ends well."""

import os
import signal
import socket
import subprocess

import pytest

from grid import Api, compact, eventually, unverified


@pytest.fixture
def trap():
    """A web hook that takes calls and never answers: while it is called, the server cannot end."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(8)
        s.settimeout(60)
        yield s


def half(grid, token, path, body):
    """A connection that has said half of a request's body; and the rest."""
    link = unverified().wrap_socket(socket.create_connection(("127.0.0.1", grid.port), 60))
    link.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n{body[:3]}".encode())
    return link, body[3:].encode()


def test_requests_whose_bodies_come_after_the_workers_and_the_engine_were_told_to_stop_get_503(grid, trap):
    grid.publish("dugnad-say", "say")
    host = grid.host("ada")
    body = dict(app="say", command=["{}"], array=dict(first=0, last=0), rules=dict(min_quorum=1, target_attempts=1),
                policy=dict(webhook=f"http://127.0.0.1:{trap.getsockname()[1]}/"))
    batch = grid.api.post("/v1/batches", body)["batch"]
    eventually(lambda: host.work_off() and grid.status(batch)["state"] == "done", what="the unit is answered")
    asked, _ = trap.accept()
    work = compact(dict(reports=[], held=[], want=dict(seconds=10, cores=1, units_max=1)))
    links = [half(grid, host.api.token, "/v1/work", work) for _ in range(3)] + [half(grid, grid.token, "/v1/streams/told", "hello\n") for _ in range(3)]
    assert Api(grid).once("GET", "/healthz").status == 200  # they are in
    os.kill(grid.server.pid, signal.SIGTERM)
    eventually(lambda: "info stopping" in grid.server.text(), 10, what="it has heard the signal")
    with pytest.raises(subprocess.TimeoutExpired):
        grid.server.child.wait(1)  # workers and waiters have ended, the hook is waited for
    for link, rest in links:
        link.sendall(rest)
    replies = [link.recv(65536) for link, _ in links]
    for link, _ in links:
        link.close()
    asked.close()
    assert grid.server.child.wait(60) == 0, grid.server.text()[-2000:]
    assert all(r.startswith(b"HTTP/1.1 503") and b"Retry-After" in r for r in replies), replies
