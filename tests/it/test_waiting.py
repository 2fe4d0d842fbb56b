"""Hosts for which there is no work are left waiting at the server: what is submitted then starts at once."""

import contextlib
import socket
import threading
import time

import pytest

from grid import PATIENCE, Grid, eventually

CALMLY = dict(contact="1m", contact_idle="5m")  # as they are for everybody: the next call is 5 s away and more
SOON = 0.5 * PATIENCE  # a tenth of a second on a quiet machine; the next call of a client that does not wait would be 5 s away


@pytest.fixture
def grid(tmp_path):
    with Grid(tmp_path, **CALMLY) as grid:
        grid.publish("dugnad-say", "say")
        yield grid


def metric(grid, name):
    text = grid.api.ask("GET", "/metrics").body.decode()
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def wait_for(grid, count, seconds=15):
    """Until so many hosts wait at the server."""
    eventually(lambda: metric(grid, "dugnad_hosts_waiting ") == count, seconds, what=f"{count} hosts wait")


def start_s(grid, batch):
    """From the batch's making to the first start of each of its units."""
    made = int(grid.api.get(f"/v1/batches/{batch}")["created_ms"])
    units = grid.api.pages(f"/v1/batches/{batch}/units")
    return [(grid.api.get(f"/v1/units/{u['unit']}")["attempts"][0]["sent_ms"] - made) / 1000 for u in units]


class Waiting(threading.Thread):
    """A host's request that waits, on a connection of its own."""

    def __init__(self, host, wait_ms=20000):
        super().__init__(daemon=True)
        self.host, self.wait_ms, self.reply, self.took = host, wait_ms, None, None
        self.start()

    def run(self):
        began = time.monotonic()
        try:
            self.reply = self.host.work(want=4, wait_ms=self.wait_ms)
        except Exception as e:  # noqa: BLE001 - told by whoever looks at the reply
            self.reply = e
        self.took = time.monotonic() - began

    def units(self, seconds=5):
        self.join(seconds)
        assert isinstance(self.reply, dict), self.reply
        return [u["attempt"] for u in self.reply["units"]]


def test_what_is_submitted_to_idle_clients_starts_at_once(grid):
    clients = [grid.client(f"c{i}").start() for i in range(2)]
    wait_for(grid, 2)
    for turn in range(3):
        began = time.monotonic()
        batch = grid.submit("say", lines=[f"{turn}a", f"{turn}b"], quorum=1 + turn % 2)
        grid.wait_done(batch, 10)
        took = time.monotonic() - began
        assert max(start_s(grid, batch)) < SOON and took < 1.5 * PATIENCE, (start_s(grid, batch), took)
        wait_for(grid, 2)
    assert all(c.alive() for c in clients)
    slow = metric(grid, 'dugnad_http_request_seconds_sum{method="POST",route="/v1/work"')
    assert slow < 2 * PATIENCE, "what hosts waited for is no time that the server took"


def test_who_waits_is_answered_after_the_time_it_gave_and_may_wait_again(grid):
    host = grid.host("ada")
    first = host.work(want=4)
    assert first["units"] == [] and first["wait_ms"] == 30000 and first["next_contact_ms"] >= 5000
    waits = Waiting(host, 1500)
    assert waits.units() == [] and 1.4 < waits.took < 4 and waits.reply["wait_ms"] == 30000, (waits.took, waits.reply)
    host.api.ask("POST", "/v1/work", dict(reports=[], wait_ms=60001)).refused(400, "invalid")
    assert "wait_ms" not in host.work()  # who wants nothing has nothing to wait for


def test_a_request_that_says_more_than_that_a_core_is_idle_is_answered_at_once(grid):
    host = grid.host("ada")
    batch = grid.submit("say", lines=["a"], quorum=1)
    attempt, = host.take(1)
    began = time.monotonic()
    host.report(host.answer(attempt, "a\n"), want=4, wait_ms=20000)
    host.work(want=0, wait_ms=20000)
    assert time.monotonic() - began < 2 * PATIENCE
    grid.wait_done(batch)


def test_who_was_given_less_than_it_could_use_may_wait_for_more(grid):
    host = grid.host("ada")
    grid.submit("say", lines=["a"], quorum=1)
    reply = host.work(want=4)
    assert len(reply["units"]) == 1 and reply["wait_ms"] == 30000
    host.held[reply["units"][0]["attempt"]] = reply["units"][0]
    waits = Waiting(host)
    wait_for(grid, 1)
    batch = grid.submit("say", lines=["b"], quorum=1)
    assert len(waits.units()) == 1 and start_s(grid, batch)[0] < SOON
    grid.cancel_all()


def test_a_unit_wakes_one_host_and_that_one_which_waits_longest(grid):
    hosts = [grid.host(f"h{i}") for i in range(3)]
    waits = []
    for n, host in enumerate(hosts):
        waits.append(Waiting(host))
        wait_for(grid, n + 1)
    batch = grid.submit("say", lines=["a"], quorum=1)
    assert len(waits[0].units()) == 1 and start_s(grid, batch)[0] < SOON
    time.sleep(1)
    assert metric(grid, "dugnad_hosts_waiting ") == 2 and waits[1].reply is None and waits[2].reply is None
    grid.cancel_all()


def test_who_has_hung_up_is_given_nothing(grid):
    gone, there = grid.host("gone"), grid.host("there")

    def wait_and_lose():
        with contextlib.suppress(Exception):
            gone.api.once("POST", "/v1/work", dict(reports=[], held=[], want=dict(seconds=1, cores=1, units_max=1), wait_ms=60000))
    threading.Thread(target=wait_and_lose, daemon=True).start()
    wait_for(grid, 1)
    waits = Waiting(there)
    wait_for(grid, 2)
    gone.api.connection.sock.shutdown(socket.SHUT_RDWR)  # as a client that is stopped
    wait_for(grid, 1)
    batch = grid.submit("say", lines=["a"], quorum=1)
    assert len(waits.units()) == 1 and start_s(grid, batch)[0] < SOON
    grid.cancel_all()


def test_what_a_lost_reply_gave_is_given_again_and_once(grid):
    host = grid.host("ada")
    lost = Waiting(host)
    wait_for(grid, 1)
    batch = grid.submit("say", lines=["a"], quorum=1)
    was, = lost.units()
    again = grid.host("bob")
    again.api.token = host.api.token  # another connection of the same host, which never saw that reply
    attempt, = again.take(1, wait_ms=20000)
    assert attempt == was and len(grid.attempts(f"{batch}.0")) == 1
    again.report(again.answer(attempt, "a\n"))
    grid.wait_done(batch)


def test_who_asks_anew_is_given_what_his_earlier_request_waited_for(grid):
    host, again = grid.host("ada"), grid.host("bob")
    again.api.token = host.api.token
    earlier = Waiting(host)
    wait_for(grid, 1)
    later = Waiting(again)
    assert earlier.units() == [] and earlier.took < 10
    wait_for(grid, 1)
    batch = grid.submit("say", lines=["a"], quorum=1)
    assert len(later.units()) == 1
    assert batch and grid.cancel_all() is None


def test_a_quarter_of_the_connections_waits_and_the_others_come_again_as_ever(tmp_path):
    with Grid(tmp_path, connections=20, **CALMLY) as grid:
        hosts = [grid.host(f"h{i}") for i in range(7)]
        waits = [Waiting(h) for h in hosts[:5]]
        wait_for(grid, 5)
        for host in hosts[5:]:
            reply = host.work(want=4, wait_ms=20000)
            assert "wait_ms" not in reply and reply["next_contact_ms"] >= 5000, reply
        assert all(w.reply is None for w in waits)


def test_where_half_of_what_one_address_may_open_is_open_nobody_waits(tmp_path):
    with Grid(tmp_path, connections_per_address=8, **CALMLY) as grid:
        hosts = [grid.host(f"h{i}") for i in range(5)]
        assert all("wait_ms" not in h.work(want=4, wait_ms=20000) for h in hosts)
        for host in hosts[:4]:
            host.api.close()
        eventually(lambda: "wait_ms" in hosts[4].work(want=4), what="it may wait again")


def test_where_the_operator_lets_nobody_wait_all_is_as_ever(tmp_path):
    with Grid(tmp_path, contact_wait="0s", **CALMLY) as grid:
        host = grid.host("ada")
        assert "wait_ms" not in host.work(want=4)
        reply = host.work(want=4, wait_ms=20000)
        assert "wait_ms" not in reply and reply["next_contact_ms"] >= 5000


def test_a_server_that_stops_answers_those_who_wait_and_clients_are_back_after_it(grid):
    client, hosts = grid.client("c").start(), [grid.host(f"h{i}") for i in range(3)]
    waits = [Waiting(h) for h in hosts]
    wait_for(grid, 4)
    began = time.monotonic()
    assert grid.server.end() == 0
    assert time.monotonic() - began < 3 * PATIENCE
    for w in waits:
        assert w.units() == [] and "wait_ms" not in w.reply and w.reply["next_contact_ms"] >= 5000, w.reply
    grid.start()
    grid.wait_ready()
    wait_for(grid, 1, 30)
    grid.wait_done(grid.submit("say", lines=["a"], quorum=1), 10)
    assert client.alive() and "contact_failed" not in client.text()


def test_a_server_that_is_killed_loses_nobody(grid):
    client = grid.client("c").start()
    for _ in range(2):
        wait_for(grid, 1, 30)
        batch = grid.submit("say", lines=["a"], quorum=1)
        grid.wait_done(batch, 10)
        assert start_s(grid, batch)[0] < SOON
        wait_for(grid, 1)
        grid.kill_server()
        grid.wait_done(grid.submit("say", lines=["b"], quorum=1), 30)
    assert client.alive() and client.text().count("contact_failed") >= 2


def test_a_client_that_waits_ends_at_once_and_leaves_nothing_behind(grid):
    client = grid.client("c").start()
    wait_for(grid, 1)
    began = time.monotonic()
    assert client.end() == 0
    assert time.monotonic() - began < 2 * PATIENCE
    wait_for(grid, 0, 3)
    batch = grid.submit("say", lines=["a"], quorum=1)
    time.sleep(1)
    assert grid.attempts(f"{batch}.0")[0]["state"] == "unsent"
    client.start()
    grid.wait_done(batch, 10)


def test_the_owner_who_pauses_is_heard_while_the_client_waits(grid):
    client = grid.client("c").start()
    wait_for(grid, 1)
    assert client.call("pause").returncode == 0
    wait_for(grid, 0, 3)
    batch = grid.submit("say", lines=["a"], quorum=1)
    time.sleep(1)
    assert grid.attempts(f"{batch}.0")[0]["state"] == "unsent"
    began = time.monotonic()
    assert client.call("resume").returncode == 0
    grid.wait_done(batch, 10)
    assert time.monotonic() - began < 3 * PATIENCE


def test_a_client_that_leaves_says_goodbye_though_it_waits(grid):
    client = grid.client("c").start()
    wait_for(grid, 1)
    began = time.monotonic()
    left = client.call("leave")
    assert left.returncode == 0, left.stderr
    assert time.monotonic() - began < 3 * PATIENCE
    wait_for(grid, 0, 3)
