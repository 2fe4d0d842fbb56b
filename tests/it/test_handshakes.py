"""TLS before the first request: a handshake that stops costs nothing and ends, sessions outlive the server, a full house lets nobody in and sends nobody away;
those who wait are let in as they came, people ahead of a crowd, and who says nothing keeps nobody out."""

import os
import re
import resource
import select
import socket
import ssl
import tempfile
import time

from grid import PATIENCE, Api, Grid, eventually, unverified


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


def dial(grid, address="127.0.0.2", says=None):
    s = socket.create_connection(("127.0.0.1", grid.port), timeout=5, source_address=(address, 0))
    if says:
        s.sendall(says)
    return s


def fill(grid, places, address="127.0.0.2"):
    """A house full of those who shook hands and ask nothing."""
    return [unverified().wrap_socket(dial(grid, address)) for _ in range(places)]


def close_all(*sockets):
    for s in sockets:
        s.close()


def measured(grid, name):
    return int(float(re.search(rf"^{name} (\S+)$", Api(grid).once("GET", "/metrics").body.decode(), re.M).group(1)))


def answered(sockets, seconds=10):
    """The first of them to whom the server says a word."""
    return select.select(sockets, [], [], seconds * PATIENCE)[0]


def asks(grid, seconds):
    """A newcomer's question over a connection of its own is answered in so many seconds."""
    began = time.monotonic()
    api = Api(grid, grid.token)
    assert api.once("GET", "/v1/whoami").status == 200
    api.close()
    took = time.monotonic() - began
    assert took < seconds * PATIENCE, f"{took:.1f} s"
    return took


def test_those_who_wait_are_let_in_as_they_came_and_an_address_of_people_goes_ahead():
    with tempfile.TemporaryDirectory(prefix="dugnad-it-") as folder, Grid(folder, connections=10, threads=2, connections_per_address=100) as grid:
        grid.api.get("/v1/whoami")
        grid.api.close()
        inside, crowd, word = fill(grid, 10), [], hello()
        for _ in range(8):
            crowd.append(dial(grid, says=word))
            time.sleep(0.02)  # two threads accept: they shall not come at the same moment
        person = dial(grid, "127.0.0.1", says=word)
        assert not select.select([*crowd, person], [], [], 0.3)[0], "there is no place"
        inside.pop().close()
        assert answered([*crowd, person]) == [person], "whoever comes from where the operator was goes ahead of the crowd"
        for i in range(3):
            person.close() if i == 0 else crowd.pop(0).close()
            assert answered(crowd) == [crowd[0]], f"number {i} of the crowd is next"
        close_all(*crowd, *inside)


def test_of_many_who_go_ahead_each_fourth_place_is_for_the_others():
    with tempfile.TemporaryDirectory(prefix="dugnad-it-") as folder, Grid(folder, connections=10, threads=2, connections_per_address=100) as grid:
        grid.api.get("/v1/whoami")
        grid.api.close()
        inside, word = fill(grid, 10), hello()
        others = [dial(grid, says=word) for _ in range(2)]
        people = [dial(grid, "127.0.0.1", says=word) for _ in range(9)]
        time.sleep(0.3)
        leaves, turn = inside.pop(), []
        for _ in range(6):
            leaves.close()
            leaves = answered([*others, *people])[0]
            turn.append(leaves in others)
            (others if leaves in others else people).remove(leaves)
        close_all(leaves, *others, *people, *inside)
        assert 1 <= sum(turn) <= 2, turn


def test_handshakes_that_stop_half_way_keep_nobody_out_however_many_they_are():
    with tempfile.TemporaryDirectory(prefix="dugnad-it-") as folder, Grid(folder, threads=2, connections_per_address=2000) as grid:
        grid.api.close()
        word = hello()
        stopped = [dial(grid, says=word) for _ in range(1000)]  # more than are shaken hands with at once
        silent = [dial(grid) for _ in range(500)]
        assert answered(stopped)
        asks(grid, 5)
        eventually(lambda: measured(grid, "dugnad_handshakes") >= 1000, 20, what="all are begun")
        assert measured(grid, "dugnad_connections_waiting") >= 500, "who said nothing waits"
        assert measured(grid, "dugnad_connections") >= 1500
        close_all(*stopped, *silent)
        eventually(lambda: measured(grid, "dugnad_connections_waiting") + measured(grid, "dugnad_handshakes") < 5, 10, what="they have gone")


def test_a_house_full_of_handshakes_that_stopped_gives_them_up_for_who_waits():
    with tempfile.TemporaryDirectory(prefix="dugnad-it-") as folder, Grid(folder, connections=20, threads=2, connections_per_address=100) as grid:
        grid.api.close()
        stopped = [dial(grid, says=hello()) for _ in range(20)]
        eventually(lambda: len(select.select(stopped, [], [], 0)[0]) == 20, 5, what="all are begun")
        asks(grid, 15)
        close_all(*stopped)


def start_with_files(grid, files):
    grid.server.words = ["prlimit", f"--nofile={files}", *grid.server.words]
    grid.start()


def test_those_who_say_nothing_are_sent_away_when_no_file_is_left_for_others(tmp_path):
    grid = Grid(tmp_path, connections=20, connections_per_address=1000)
    start_with_files(grid, 600)  # 100 may wait beside the 20
    try:
        silent = [dial(grid) for _ in range(150)]
        asks(grid, 25)
        close_all(*silent)
    finally:
        assert grid.server.end() == 0


def test_without_a_file_for_newcomers_they_wait_and_the_server_does_not_spin(tmp_path):
    with Grid(tmp_path, connections_per_address=1000) as grid:
        kept = Api(grid, grid.token)
        assert kept.once("GET", "/v1/whoami").status == 200
        grid.api.close()
        pid, limits = grid.server.pid, resource.prlimit(grid.server.pid, resource.RLIMIT_NOFILE)
        used = max(int(fd) for fd in os.listdir(f"/proc/{pid}/fd")) + 1
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 10, limits[1]))
        crowd = [dial(grid, says=hello()) for _ in range(40)]
        eventually(lambda: "newcomers-wait" in grid.server.text(), 10, what="the log says what is missing")
        before, began = cpu_seconds(pid), time.monotonic()
        time.sleep(1.5)  # not for something to happen: this is what is measured
        assert kept.once("GET", "/v1/whoami").status == 200, "who is inside is served"
        spent, took = cpu_seconds(pid) - before, time.monotonic() - began
        assert spent < 0.1 * took, f"{spent:.2f} s of CPU in {took:.2f} s for nothing: the server spins"
        assert grid.server.text().count("newcomers-wait") == 1, "once a minute is enough"
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        eventually(lambda: len(select.select(crowd, [], [], 0)[0]) == 40, 10, what="all are let in when there are files again")
        close_all(*crowd)
        kept.close()


def test_a_server_that_is_told_to_stop_does_not_wait_for_those_who_wait():
    with tempfile.TemporaryDirectory(prefix="dugnad-it-") as folder, Grid(folder, connections=20, threads=2, connections_per_address=1000) as grid:
        grid.api.close()
        word = hello()
        inside = fill(grid, 15)
        others = [dial(grid, says=w) for w in [word] * 5 + [word[:50]] * 5 + [word] * 50 + [None] * 50]
        time.sleep(0.3)
        began = time.monotonic()
        assert grid.server.end() == 0
        assert time.monotonic() - began < 5 * PATIENCE
        assert all(ended(s) for s in others)
        close_all(*inside, *others)
