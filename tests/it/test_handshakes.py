"""TLS before the first request: a handshake that stops costs nothing and ends, sessions outlive the server, a full house lets nobody in and sends nobody away."""

import os
import socket
import ssl
import tempfile
import time

from grid import Api, Grid, eventually, unverified


def hello():
    """The first word of a handshake, from a client that will not say the second."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = unverified().wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ended(s):
    s.settimeout(20)
    try:
        while s.recv(10000):
            pass
    except ConnectionError:
        pass
    return True


def test_handshakes_that_stop_half_way_cost_no_time_and_are_ended():
    with tempfile.TemporaryDirectory(prefix="dugnad-it-") as folder, Grid(folder, idle="4s", connections_per_address=100) as grid:
        stopped = [socket.create_connection(("127.0.0.1", grid.port), timeout=5) for _ in range(40)]
        word = hello()
        for i, s in enumerate(stopped):
            s.sendall(word if i % 2 else word[:100])
        for s in stopped[1::2]:
            assert s.recv(1), "the server says its word"
        before, began = cpu_seconds(grid.server.pid), time.monotonic()
        time.sleep(1.5)  # not for something to happen: this is what is measured
        spent, took = cpu_seconds(grid.server.pid) - before, time.monotonic() - began
        assert spent < 0.1 * took, f"{spent:.2f} s of CPU in {took:.2f} s for nothing: the server spins"
        assert Api(grid, grid.token).ask("GET", "/v1/whoami").status == 200
        assert all(ended(s) for s in stopped)
        for s in stopped:
            s.close()


def get(grid, context, session=None):
    with socket.create_connection(("127.0.0.1", grid.port), timeout=10) as plain, context.wrap_socket(plain, session=session) as s:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in s.recv(4000)[:20]
        return s.session, s.session_reused


def test_a_host_takes_up_its_session_also_after_the_server_was_killed(grid):
    context = unverified()
    session, reused = get(grid, context)
    assert not reused
    session, reused = get(grid, context, session)
    assert reused
    grid.kill_server()
    session, reused = get(grid, context, session)
    assert reused, "a herd that comes back after an outage shakes hands at half the price"
    key = grid.data / "tls" / "tickets.key"
    assert key.stat().st_mode & 0o777 == 0o600
    old = key.read_bytes()
    os.utime(key, (1, 1))
    grid.kill_server()
    assert key.read_bytes() != old, "a key is not used for ever"
    assert not get(grid, context, session)[1]


def test_beyond_the_last_place_one_waits_at_the_door_until_somebody_leaves():
    with tempfile.TemporaryDirectory(prefix="dugnad-it-") as folder, Grid(folder, connections=20, threads=2, connections_per_address=100) as grid:
        inside = []
        for _ in range(20):
            s = socket.create_connection(("127.0.0.1", grid.port), timeout=5)
            inside.append(unverified().wrap_socket(s))  # a handshake, no request: whoever was answered in a full house is sent away
        late = socket.create_connection(("127.0.0.1", grid.port), timeout=0.7)
        late.sendall(hello())
        try:
            assert not late.recv(1), "there was no place, or nobody was sent away: the server took one more"
            raise AssertionError("who came late was sent away")
        except TimeoutError:
            pass
        for s in inside:
            s.close()
        late.settimeout(10)
        assert late.recv(1), "it is let in"
        late.close()
        eventually(grid.ready, 10, what="it serves")
