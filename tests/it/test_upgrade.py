"""An upgrade with work in flight: what an older server wrote until it was killed is taken up by this one, and nothing is lost; the schema goes
down to an older version and up again. The long form runs the older programs themselves: upgrade/rounds.sh."""

import base64
import http.client
import json
import os
import random
import subprocess
import tarfile
import threading
import time
from pathlib import Path

import pytest

import fleet
import grid as lib
from grid import BIN, Api, Grid, Host, Process, eventually, free_port, set_conf

HERE = Path(__file__).resolve().parent / "upgrade"
OLD_BIN = os.environ.get("OLD_BIN")
SECONDS = int(os.environ.get("UPGRADE_SECONDS", "60"))
EACH = 30
NEW_SINCE = ("credential", "app_version", "answered", "answer", "small")  # answers move from one to the other
COLUMNS_NEW_SINCE = {"protocol", "agent", "question", "stdout_tail", "taken"}


class Found(Grid):
    """A project that is there already."""

    def __init__(self, folder, data):
        self.address, self.folder, self.data, self.processes, self.hosts = "127.0.0.1", Path(folder), Path(data), [], []
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        set_conf(self.data / "server.conf", listen=f"127.0.0.1:{self.port}", url=self.url, load_max=0)
        self.facts = json.loads((self.data / "facts.json").read_text())
        self.token = self.facts["operator"]
        self.server = Process([BIN / "dugnad-server", "--data", self.data, "serve"], self.folder / "server.log")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("DUGNAD_")} | {"DUGNAD_CONFIG": str(self.folder / "login.json")}
        self.api = Api(self, self.token)

    def back(self, fact):
        """A host that joined the older server, with what it has had since then."""
        host = Host.__new__(Host)
        host.name, host.id, host.api, host.specs = fact["name"], fact["id"], Api(self, fact["token"]), {}
        host.held = {attempt: {"word": word} for attempt, word in fact["held"].items()}
        self.hosts.append(host)
        return host


@pytest.fixture
def found(tmp_path):
    with tarfile.open(HERE / "data-v1.tar.xz") as tar:
        tar.extractall(tmp_path)
    with Found(tmp_path, tmp_path / "server") as grid:
        yield grid


def server(grid, *words, status=0):
    done = subprocess.run([BIN / "dugnad-server", "--data", grid.data, *words], text=True, capture_output=True, timeout=120)
    assert done.returncode == status, done
    return done.stdout if status == 0 else done.stderr


def test_work_in_flight_of_an_older_server_is_gone_on_with_and_nothing_is_lost(found):
    facts = found.facts
    assert found.status(facts["done"])["state"] == "done" and found.status(facts["array"])["units"] == 1000
    for attempt in facts["acknowledged"]:  # it was told that these are safe
        assert found.attempt(attempt)["state"] in ("valid", "reported"), attempt
    hosts = [found.back(fact) for fact in facts["hosts"]]
    late = hosts[0].held
    assert late
    acks = hosts[0].report(*(hosts[0].answer(a, f"{u['word']}\n") for a, u in late.copy().items()))
    assert {ack["code"] for ack in acks.values()} == {"ok"}  # its word of before the upgrade is as good as ever
    hosts.append(found.host("new"))
    def work():
        for host in hosts:
            host.work_off(most=100)
        return all(found.status(facts[name])["state"] == "done" for name in ("open", "array"))
    eventually(work, 60, every=0.1, what="the batches of before are done")
    assert sorted(found.answers(facts["open"]).values()) == sorted(f"line {n}\n" for n in range(40))
    assert sorted(found.answers(facts["array"]).values()) == sorted(f"{n}\n" for n in range(1000))
    assert sorted(found.answers(facts["done"]).values()) == sorted(f"done {n}\n" for n in range(10))
    [failed] = found.api.get(f"/v1/batches/{facts['failing']}/failures")["items"]
    assert (failed["error"], failed["exit_code"]) == ("exit", 3) and "no such file" in failed["stderr"]
    assert Api(found, facts["scientist"]).get("/v1/whoami")["role"] == "scientist"
    assert found.status(found.submit("say", array=1, quorum=1))["version"] == 1  # a release of before
    assert "whole" in server(found, "audit")


def rows(text):
    """Table -> its rows in a dump, without what is nothing; but for those that only this version has, and what each start changes."""
    found = {}
    for line in text.splitlines():
        item = json.loads(line)
        if "row" in item and item["table"] not in (*NEW_SINCE, "audit", "number"):
            found.setdefault(item["table"], []).append({k: v for k, v in item["row"].items() if v})
    return found


def test_the_schema_goes_down_to_an_older_version_and_up_again_with_all_that_both_know(found):
    found.api.post("/v1/credentials", dict(kind="password", password="en hest og en ku"))
    batch = found.submit("say", lines=["one", "two", ""], quorum=1, priority=9)
    found.host("new").work_off(most=3)
    answers = found.answers(batch)
    assert sorted(answers.values()) == ["\n", "one\n", "two\n"]
    assert "stop it first" in server(found, "migrate", "--schema", "2", status=5)
    found.server.end()
    before = rows(server(found, "dump"))
    assert len(before) > 12 and len(before["unit"]) == 1054
    assert "is 2 now" in server(found, "migrate", "--schema", "2")
    assert "schema version 2" in subprocess.run([BIN / "dugnad-server", "--data", found.data, "doctor"], capture_output=True, text=True).stdout
    server(found, "migrate", "--schema", "9", status=2)
    found.start()  # and up by itself
    assert found.api.get("/v1/credentials")["items"] == []  # what the older version did not know is gone
    assert found.answers(batch) == answers  # and what was answered to the newer one is not
    found.server.end()
    after = rows(server(found, "dump"))
    assert before.keys() == after.keys()
    for table, was in before.items():
        assert len(was) == len(after[table]), table
        for old, new in zip(was, after[table]):
            gone = old.keys() - new.keys()
            assert gone <= COLUMNS_NEW_SINCE and new.items() <= old.items(), (table, old, new)
    for version in ("1", "3"):
        server(found, "migrate", "--schema", version)
    found.start()
    assert found.status(found.facts["done"])["state"] == "done"


# --- the long form: the older programs themselves

@pytest.mark.skipif(not OLD_BIN, reason="OLD_BIN is not set: upgrade/rounds.sh COMMIT SECONDS builds the older programs and runs this")
def test_upgrades_and_the_way_back_amid_real_work(tmp_path, monkeypatch):
    seed = int(os.environ.get("SEED", time.time()))
    dice = random.Random(seed)
    print(f"seed {seed}")
    old = Path(OLD_BIN)
    monkeypatch.setattr(lib, "SERVER_CONF", dict(contact="1s", contact_idle="1s", token_rate=0, address_rate=0, disk_free_min="1M"))
    monkeypatch.setattr(lib, "BIN", old)
    grid = Grid(tmp_path)
    with grid:
        monkeypatch.setattr(lib, "BIN", BIN)
        grid.publish("dugnad-say", "say")
        clients = [grid.client("ada"), grid.client("bo")]
        for client in clients:
            client.words[0] = str(old / "dugnad-client")
            client.start()
        batches, rounds, end = [], 0, time.monotonic() + SECONDS
        new = False
        while time.monotonic() < end or rounds < 4:
            batches.append(grid.submit("say", lines=[f"{rounds}/{n}" for n in range(EACH)], quorum=2))
            wanted = sum(grid.status(b)["accepted"] for b in batches) + dice.randrange(1, EACH)
            eventually(lambda: sum(grid.status(b)["accepted"] for b in batches) >= wanted, 300, every=0.2)
            for process in [grid.server] if rounds % 2 == 0 else [grid.server, *clients]:
                process.end(dice.choice([9, 15]))
            new = not new
            if not new:  # the way back
                subprocess.run([BIN / "dugnad-server", "--data", grid.data, "migrate", "--schema", "1"], check=True)
            where = BIN if new else old
            grid.server.words[0] = str(where / "dugnad-server")
            grid.start()
            for client in clients:
                if not client.alive():
                    client.words[0] = str(where / "dugnad-client")
                    client.start()
            rounds += 1
        for n, batch in enumerate(batches):
            grid.wait_done(batch, 300)
            assert sorted(grid.answers(batch).values()) == sorted(f"{n}/{k}\n" for k in range(EACH))
        print(f"{rounds} upgrades and ways back, {len(batches) * EACH} units, lost=0 counted_twice=0")


def work_on(host, over):
    """Takes and answers until it is told to stop, whatever happens to the servers."""
    while not over.is_set():
        try:
            if not host.work_off(most=5):
                over.wait(0.05)
        except (OSError, http.client.HTTPException, AssertionError):
            over.wait(0.1)


@pytest.mark.skipif(not OLD_BIN, reason="OLD_BIN is not set: upgrade/rounds.sh BUILD/bin COMMIT builds the older programs and runs this")
def test_servers_on_one_database_are_replaced_one_after_the_other_amid_work(tmp_path, monkeypatch):
    monkeypatch.setattr(fleet, "BIN", Path(OLD_BIN))
    monkeypatch.setattr(lib, "BIN", Path(OLD_BIN))
    with fleet.Fleet(tmp_path / "fleet", servers=3, token_rate=0, address_rate=0) as grid:
        monkeypatch.setattr(lib, "BIN", BIN)
        grid.publish("dugnad-say", "say")
        over, hosts = threading.Event(), [grid.host(f"h{n}") for n in range(6)]
        threads = [threading.Thread(target=work_on, args=[host, over]) for host in hosts]
        for t in threads:
            t.start()
        batches = []
        try:
            for stage in range(4):  # all old, one new beside two old, two new beside one old, all new
                if stage:
                    server = grid.servers[stage - 1]
                    server.end(9 if stage == 2 else 15)
                    server.words[0] = str(BIN / "dugnad-server")
                    server.start()
                    grid.wait_server(stage - 1)
                for quorum in (1, 2):
                    batches.append((grid.submit("say", lines=[f"{stage}/{quorum}/{n}" for n in range(EACH)], quorum=quorum), f"{stage}/{quorum}"))
                for batch, _ in batches[-2:]:
                    grid.wait_done(batch, 120)
                for batch, word in batches:  # each server reads what each other wrote
                    for i in range(3):
                        found = [base64.b64decode(item["outputs"][0]["data"]).decode() for item in grid.at(i).get(f"/v1/batches/{batch}/results?limit=1000")["items"]]
                        assert sorted(found) == sorted(f"{word}/{n}\n" for n in range(EACH)), (stage, i, batch)
        finally:
            over.set()
            for t in threads:
                t.join()
        for batch, _ in batches:
            status = grid.status(batch)
            assert (status["accepted"], status["failed"], status["delivered"]) == (EACH, 0, EACH)
        grid.servers[0].end()
        old = subprocess.run([Path(OLD_BIN) / "dugnad-server", "--data", grid.data, "serve"], capture_output=True, text=True, timeout=60)
        assert old.returncode != 0 and "schema version" in old.stderr
        print(f"{len(batches) * EACH} units through a rolling upgrade, lost=0 counted_twice=0")
