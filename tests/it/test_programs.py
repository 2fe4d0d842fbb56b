"""Programs that misbehave in every way: the attempt ends with a clear reason, the client and all else live on."""

import pytest

from grid import eventually

LIMITS = dict(cpu_ms=3000, wall_ms=90000, memory_bytes=96 << 20, disk_bytes=16 << 20, output_bytes=1 << 20, processes=16)
FILES = ("symlink", "hardlink", "folder", "sparse")  # what takes the place of the output

# what the program does -> the attempt's error, and what must be said of it
ENDS = {
    "divide": ("signal", dict(signal=8)),
    "spin": ("cpu_time", {}),
    "sleep": ("wall_time", {}),
    "memory": ("memory", {}),
    "shared": ("memory", {}),
    "fork": ("processes", {}),
    "disk": ("disk", {}),
    "inodes": ("disk", {}),
    "deep": ("disk", {}),
    "unnamed": ("disk", {}),
    "mapped": ("disk", {}),
    "output": (("output", "disk"), {}),
    "talk": ("exit", dict(exit_code=3)),
    "symlink": ("output", {}),
    "hardlink": ("output", {}),
    "folder": ("output", {}),
    "sparse": ("output", {}),
    "unknown": ("exit", dict(exit_code=99)),
}


@pytest.fixture(scope="module")
def client(grid):
    grid.publish("dugnad-probe", "probe")
    grid.publish("dugnad-probe", "files", "--output", "out")
    return grid.client("ada", cores=2, memory_bytes="1G").start()


@pytest.fixture(scope="module")
def ends(grid, client):
    """One unit for each way, between two that are well-behaved: way -> its attempts, one of each unit."""
    ways = ["ok", *(w for w in ENDS if w not in ("sleep", *FILES)), "orphan", "ok"]
    batches = [("probe", ways, LIMITS), ("probe", ["sleep"], dict(LIMITS, wall_ms=1000)), ("files", FILES, LIMITS)]
    made = [grid.submit(app, lines=list(words), quorum=1, limits=limits, max_error_attempts=0) for app, words, limits in batches]
    found = {}
    for batch, (_, words, _) in zip(made, batches):
        grid.wait_done(batch, 50)
        for i, word in enumerate(words):
            (attempt,) = grid.attempts(f"{batch}.{i}")
            found.setdefault(word, []).append(attempt | dict(unit=f"{batch}.{i}"))
    return found


@pytest.mark.parametrize("way", ENDS)
def test_it_ends_with_its_reason(grid, ends, way):
    (attempt,) = ends[way]
    error, more = ENDS[way]
    assert attempt["state"] == "errored" and attempt["error"] in ([error] if isinstance(error, str) else error), attempt
    for key, value in more.items():
        assert attempt[key] == value, attempt
    assert len(attempt.get("message") or "") > 15, f"no sentence says why: {attempt}"
    assert len(grid.explain(attempt["unit"])) > 15
    unit = grid.unit(attempt["unit"])
    assert (unit["state"], unit["failure"]) == ("delivered", "errors")


def test_the_end_of_what_it_said_is_kept(ends):
    (attempt,) = ends["talk"]
    assert attempt["stderr"].endswith("line 99999\n") and len(attempt["stderr"]) <= 2048


def test_what_a_good_one_used_is_told(ends):
    for attempt in ends["ok"]:
        assert attempt["wall_ms"] > 0 and attempt["memory_bytes"] > 0, attempt


def test_the_others_are_well(grid, ends):
    assert [a["state"] for a in ends["ok"]] == ["valid", "valid"]
    assert [a["state"] for a in ends["orphan"]] == ["valid"]


def test_the_client_lives_on_and_nothing_of_them_stays(grid, client, ends):
    assert client.alive()
    batch = grid.submit("probe", lines=["ok"] * 10, quorum=1)
    assert grid.wait_done(batch)["accepted"] == 10
    assert client.alive()
    eventually(lambda: not list_children(client.pid), 10, what="no program is left")


def test_failures_are_grouped_by_reason(grid, ends):
    batch = ends["talk"][0]["unit"].partition(".")[0]
    items = grid.api.get(f"/v1/batches/{batch}/failures")["items"]
    assert {x["error"] for x in items} >= {"signal", "cpu_time", "memory", "processes", "exit"}
    assert sum(x["count"] for x in items) == len(ENDS) - len(FILES) - 1


def list_children(pid):
    """All processes below this one."""
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        direct = [int(x) for x in f.read().split()]
    return direct + [y for x in direct for y in list_children(x)]
