"""What the owner of a computer says to dugnad-client, and hears: exit statuses, sentences, and that it happens."""

import json
import os
import stat

from grid import Client, eventually

CONF = dict(contact="1s", contact_idle="1s")


def status(client):
    done = client.call("status", "--json")
    return json.loads(done.stdout) if done.returncode == 0 else None


def wait_state(client, *states):
    return eventually(lambda: (status(client) or {}).get("state") in states, 20, 0.05, f"{client.name} is {states}")


def long_batch(grid, units=4, ms=1500):
    return grid.submit("say", lines=[f"w{i}" for i in range(units)], command=("{}", "--sleep", str(ms)), quorum=1)


def test_before_joining_every_command_says_what_to_do(grid):
    client = Client(grid, "nobody")
    for command in ("run", "leave", "status", "pause", "resume", "finish"):
        done = client.call(command)
        assert done.returncode == 4 and "join LINK" in done.stderr, (command, done)
    assert client.call("dance").returncode == 2
    assert "did you mean pause" in client.call("pauze").stderr
    assert client.call("join", "https://127.0.0.1:1/").returncode == 2
    assert client.call("help").returncode == client.call("version").returncode == 0
    doctor = client.call("doctor", "--json")
    assert doctor.returncode == 0 and json.loads(doctor.stdout)["host"]["cores"] >= 1


def test_a_wrong_project_key_is_not_joined(grid):
    client = Client(grid, "wrong", link=grid.link.partition("#k=")[0] + "#k=" + "ab" * 32)
    done = client.call("join", client.link)
    assert done.returncode == 9 and not (client.data / "project.json").exists(), done


def test_secrets_are_its_own_and_there_is_one_daemon(grid):
    client = grid.client("one").start()
    wait_state(client, "waiting")
    for name in ("project.json", "control", "journal"):
        assert stat.S_IMODE(os.stat(client.data / name).st_mode) == 0o600, name
    again = client.call("run")
    assert again.returncode == 5 and "running" in again.stderr, again
    assert client.call("join", grid.link).returncode == 5
    inodes = {os.readlink(f"/proc/{client.pid}/fd/{x}") for x in os.listdir(f"/proc/{client.pid}/fd")}
    listening = {f"socket:[{x.split()[9]}]" for kind in ("tcp", "tcp6") for x in open(f"/proc/net/{kind}").read().splitlines()[1:]
                 if x.split()[3] == "0A"}
    assert not inodes & listening, "it listens to nobody"
    assert client.end() == 0
    assert not (client.data / "control").exists()


def test_paused_it_stands_still_and_resumed_it_goes_on(grid):
    grid.publish("dugnad-say")
    client = grid.client("paused").start()
    batch = long_batch(grid)
    wait_state(client, "running")
    done = client.call("pause", "1h")
    assert done.returncode == 0 and "Paused" in done.stdout, done
    now = status(client)
    assert now["state"] == "paused" and all(x["paused"] for x in now["running"])
    assert client.call("pause", "soon").returncode == 2
    before = grid.status(batch)["accepted"]
    assert client.call("resume").returncode == 0
    assert grid.wait_done(batch)["accepted"] == 4 and before < 4
    client.end()


def test_finishing_it_ends_after_its_run_and_gives_the_rest_back(grid):
    client = grid.client("finishing").start()
    batch = long_batch(grid, units=3, ms=1000)
    wait_state(client, "running")
    assert client.call("finish").returncode == 0
    eventually(lambda: not client.alive(), 20, 0.05, "it ends by itself")
    assert client.child.returncode == 0
    states = [grid.attempts(f"{batch}.{i}")[0] for i in range(3)]
    assert sorted(x["state"] for x in states) == ["errored", "errored", "valid"], states
    assert {x.get("error") for x in states} == {None, "returned"}
    grid.cancel_all()


def test_leaving_it_gives_all_back_at_once_and_is_no_host_any_more(grid):
    client = grid.client("leaving").start()
    batch = long_batch(grid, units=2, ms=20000)
    wait_state(client, "running")
    assert client.call("leave").returncode == 0
    eventually(lambda: not client.alive(), 20, 0.05, "it ends by itself")
    assert not (client.data / "project.json").exists()
    assert {grid.attempts(f"{batch}.{i}")[0]["error"] for i in range(2)} == {"returned"}
    other = grid.client("other")
    other.join()
    assert other.call("leave").returncode == 0, "also without a daemon"
    assert not (other.data / "project.json").exists()
    grid.cancel_all()
