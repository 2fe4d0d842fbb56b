"""kill -9 of the server and of clients at random moments during batches: every unit is delivered exactly once, with the right
answer, and no report that was acknowledged is lost.

DUGNAD_KILL_ROUNDS  how many kills (6); kill_rounds.sh does 100
DUGNAD_KILL_SEED    what to do when: printed by each run, the same again with the same seed"""

import os
import random
import threading
import time

import pytest

from grid import Api, Host, compact, digest, eventually

ROUNDS = int(os.environ.get("DUGNAD_KILL_ROUNDS", 6))
SEED = int(os.environ.get("DUGNAD_KILL_SEED", random.SystemRandom().randrange(10**6)))
INLINE_MAX, BIG = 4096, 9000  # bytes that fit into a report, and those of an answer that does not


@pytest.fixture(scope="module", autouse=True)
def app(grid):
    grid.publish("dugnad-say")
    grid.publish("dugnad-probe", "probe")


class Busy(threading.Thread):
    """Something that goes on, whatever happens to the server, until it is told to stop."""

    pause_s = 0.05

    def __init__(self):
        super().__init__(daemon=True)
        self.wanted, self.problem = True, None

    def run(self):
        try:
            while self.wanted and self.step():
                time.sleep(self.pause_s)
            self.end()
        except Exception as e:
            self.problem = e

    def end(self):
        pass

    def stop(self):
        self.wanted = False
        self.join(60)
        assert not self.is_alive()
        if self.problem:
            raise self.problem


class Reporter(Busy):
    """A host that answers right and keeps what was acknowledged."""

    pause_s = 0.3  # the real clients should have their part

    def __init__(self, grid, name, batches):
        super().__init__()
        self.host, self.batches, self.acknowledged = grid.host(name), batches, {}

    def step(self):
        self.host.take(3)
        self.end()
        return True

    def end(self):
        right = {a: self.batches.get(a.partition(".")[0]) for a in self.host.held}
        answers = {a: right[a](u["word"]) for a, u in self.host.held.items() if right[a]}  # not those of a batch just being made
        if not answers:
            return
        reports = [Host.answer(a, text) for a, text in answers.items()]
        for report in reports:
            if report["outputs"][0]["bytes"] > INLINE_MAX:
                self.upload(report["attempt"], answers[report["attempt"]].encode())
                del report["outputs"][0]["data"]
        for attempt, ack in self.host.report(*reports).items():
            assert ack["code"] == "ok", ack
            self.acknowledged[attempt] = Host.answer_digest(answers[attempt])

    def upload(self, attempt, data):
        """From wherever it stands, until it is there."""
        path = f"/v1/blobs/{digest(data)}"
        while (head := self.host.api.ask("HEAD", path)).status != 200:
            at = int(head.headers["upload-offset"])
            self.host.api.ask("PATCH", f"{path}?attempt={attempt}", data[at:at + 5000],
                              {"Upload-Offset": str(at), "Upload-Length": str(len(data)), "Content-Type": "application/octet-stream"})


class Loader(Busy):
    """A scientist who adds units to a batch, a few at a time."""

    def __init__(self, grid, units):
        super().__init__()
        self.api, self.units, self.next = Api(grid, grid.token), units, 0
        self.batch = self.api.post("/v1/batches", dict(app="say", command=["{}"], rules=dict(deadline_ms=20000)), key="load")["batch"]

    def step(self):
        text = "".join(compact({"vars": {"": str(i)}}) + "\n" for i in range(self.next, min(self.next + 7, self.units)))
        reply = self.api.ask("POST", f"/v1/batches/{self.batch}/units?first={self.next}", text)
        reached = reply.json.get("next", reply.json.get("error", {}).get("next"))
        assert reply.status in (200, 201, 409) and reached >= self.next, reply.body
        self.next = reached
        return self.next < self.units

    def end(self):
        while self.step():
            pass
        self.api.post(f"/v1/batches/{self.batch}/close")


def small(word):
    return f"{word}\n"


def big(word):
    return f"{word}\n" + "x" * BIG


def submit(grid, batches):
    """Two batches more: one with small answers, one with answers that are uploaded."""
    batches[grid.submit("say", array=40, command=["--sleep", "20", "{}"], deadline_ms=20000)] = small
    batches[grid.submit("say", array=20, command=["{}", "--bytes", str(BIG)], deadline_ms=20000)] = big


def chaos(grid, clients, batches, rng):
    """Kills and restarts; what the stream of each batch said in between."""
    seen = {}
    for number in range(ROUNDS):
        time.sleep(rng.uniform(0.1, 1.5))
        victims = rng.choices([[grid.server], clients[:1], clients[1:], [grid.server, *clients]], [5, 2, 2, 1])[0]
        for process in victims:
            process.kill()
        time.sleep(rng.uniform(0, 0.2))
        for process in victims:
            process.start()
        grid.wait_ready()
        for batch in batches:
            seen.setdefault(batch, []).extend(grid.results(batch, seen[batch][-1]["seq"] if seen.get(batch) else 0))
        if all(grid.status(b)["state"] == "done" for b in batches):
            submit(grid, batches)
    return seen


def test_every_unit_is_delivered_once_and_no_acknowledged_report_is_lost(grid, capsys):
    with capsys.disabled():
        print(f"\nDUGNAD_KILL_ROUNDS={ROUNDS} DUGNAD_KILL_SEED={SEED}", flush=True)
    began = time.monotonic()
    batches = {}
    submit(grid, batches)
    loader = Loader(grid, 15 * ROUNDS)
    batches[loader.batch] = small
    reporters = [Reporter(grid, name, batches) for name in ("cy", "dee")]
    clients = [grid.client(name).start() for name in ("ada", "bo")]
    for busy in (loader, *reporters):
        busy.start()
    seen = chaos(grid, clients, batches, random.Random(SEED))
    for busy in (loader, *reporters):
        busy.stop()
    for batch in batches:
        grid.wait_done(batch, 120)
    for client in clients:
        client.end()
    for batch, right in batches.items():
        status = grid.status(batch)
        assert (status["accepted"], status["failed"]) == (status["units"], 0)
        assert status["delivered"] == status["units"]
        answers = grid.answers(batch)  # and nothing in it twice
        assert answers == {f"{batch}.{i}": right(i) for i in range(status["units"])}
        before = seen.get(batch, [])
        assert grid.results(batch)[:len(before)] == before, "what was in the stream stays as it was"
    told = {a: d for r in reporters for a, d in r.acknowledged.items()}
    for name, answer in told.items():
        attempt = grid.attempt(name)
        assert (attempt["state"], attempt["answer"]) == ("valid", answer), attempt
    by = check_quorums(grid, batches)
    assert len(by) == 4, f"all four hosts had a part in it: {by}"
    with capsys.disabled():
        print(f"{sum(by.values())} valid attempts ({', '.join(f'{n} of host {h}' for h, n in sorted(by.items()))}), {len(told)} acknowledged reports checked, "
              f"{time.monotonic() - began:.0f} s")


def check_quorums(grid, batches):
    """Every unit has its two answers of two hosts; how many each host gave."""
    by = {}
    for batch in batches:
        for i in range(grid.status(batch)["units"]):
            valid = [a["host"] for a in grid.attempts(f"{batch}.{i}") if a["state"] == "valid"]
            assert len(valid) >= 2 and len(set(valid)) == len(valid)
            for host in valid:
                by[host] = by.get(host, 0) + 1
    return by


def programs(client):
    """The processes below the client."""
    found, look = [], [client.pid]
    while look:
        pid = look.pop()
        try:
            with open(f"/proc/{pid}/task/{pid}/children") as f:
                look += [int(x) for x in f.read().split()]
        except FileNotFoundError:
            continue
        found.append(pid)
    return found[1:]


def test_a_killed_client_takes_its_programs_with_it_and_goes_on_with_the_unit(grid):
    client = grid.client("cut").start()
    batch = grid.submit("say", lines=["end"], command=["--sleep", "1500", "{}"], quorum=1)
    eventually(lambda: "started" in client.text(), 15, what="the program runs")
    pids = programs(client)
    assert pids
    client.kill()
    eventually(lambda: not any(os.path.exists(f"/proc/{p}") for p in pids), 5, what="no program outlives its client")
    client.start()
    assert grid.wait_done(batch)["accepted"] == 1
    (attempt,) = grid.attempts(f"{batch}.0")
    assert attempt["state"] == "valid", "the same attempt, begun again"
    client.end()


def test_a_finished_answer_outlives_kills_of_both(grid):
    client = grid.client("keeper").start()
    batch = grid.submit("say", lines=["end"], command=["--sleep", "700", "{}", "--bytes", str(BIG)], quorum=1)
    eventually(lambda: "started" in client.text(), 15, what="the program runs")
    grid.server.kill()
    eventually(lambda: "ended" in client.text(), 15, what="the program has ended")
    client.kill()
    grid.start()
    client.start()
    assert grid.wait_done(batch)["accepted"] == 1
    assert client.text().count("started") == 1, "it was not computed again"
    client.end()


def test_a_server_that_is_told_to_stop_under_load_loses_nothing(grid):
    batch = grid.submit("say", array=50)
    hosts = [grid.host("ann"), grid.host("ben")]
    for host in hosts:
        host.take_all(50)
        host.report(*(Host.answer(a, small(u["word"])) for a, u in list(host.held.items())[:25]))
    assert grid.server.end() == 0
    grid.start()
    for host in hosts:
        host.report(*(Host.answer(a, small(u["word"])) for a, u in list(host.held.items())))
    assert grid.wait_done(batch)["accepted"] == 50
    assert len(grid.answers(batch)) == 50
