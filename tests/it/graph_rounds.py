#!/usr/bin/env python3
"""graph_rounds.py [UNITS]: a graph in five stages with failures injected and the server killed; every unit is run as
often as is needed and no oftener. DUGNAD_BIN names the programs. test_graph.py runs it small."""

import json
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from grid import Grid

RULES = dict(policy="once", min_quorum=1, target_attempts=1, max_error_attempts=3, max_total_attempts=8, deadline_ms=3600000)


def batch_file(lines):
    """What a scientist writes. `lines` units in three stages each, and a tree of few that sums."""
    common = dict(app="say", command=["{}"], rules=RULES)
    return dict(stages=[
        dict(common, name="split", units=[f"{n}-{min(n + 500, lines)}" for n in range(0, lines, 500)]),
        dict(common, name="square", lines="split", file="out.txt"),
        dict(common, name="double", each="square"),
        dict(common, name="check", command=["check", "{}"], each="double", after=["split"]),
        dict(common, name="sum", reduce="check", fan_in=32)])


class Apps:
    """What the apps of the stages would do with their inputs."""

    def __init__(self, grid, stages):
        self.grid, self.stages, self.known = grid, stages, {}

    def read(self, digest):
        if digest not in self.known:
            self.known[digest] = self.grid.api.ask("GET", f"/v1/blobs/{digest}").body.decode()
        return self.known[digest]

    def __call__(self, attempt, unit):
        spec = json.loads(unit["spec"])
        stage = self.stages[attempt.split(".")[0]]
        if stage == "split":
            return "".join(f"{n}\n" for n in range(*map(int, spec["vars"][""].split("-"))))
        if stage == "square":
            return str(int(spec["vars"][""]) ** 2)
        values = [int(self.read(x["sha256"])) for x in spec["inputs"]]
        return str(2 * values[0] if stage == "double" else sum(values))


def run(grid, lines, kills=1, seed=1, seconds=600):
    """The figures. Fails when the end is wrong, or a unit was run without need."""
    draw = random.Random(seed)
    path = grid.folder / "graph.json"
    path.write_text(json.dumps(batch_file(lines)))
    first = grid.dugnad("graph", "submit", path, "--key", f"rounds{lines}", "--quiet").strip()
    again = grid.dugnad("graph", "submit", path, "--key", f"rounds{lines}", "--quiet").strip()
    assert first == again, "the same key is the same graph"
    stages = {x["batch"]: x["name"] for x in grid.api.get(f"/v1/batches/{first}/graph")["stages"]}
    batches = {name: batch for batch, name in stages.items()}
    apps, host = Apps(grid, stages), grid.host("many")
    lost = {f"{batches['square']}.{n}" for n in draw.sample(range(lines), max(1, lines // 1000))}
    runs, errors, begun, retried, killed = {}, {}, time.monotonic(), False, 0

    def handle(came):
        reports = []
        for attempt, unit in came.items():
            name = attempt.rpartition(".")[0]
            runs[name] = runs.get(name, 0) + 1
            if (name in lost and not retried) or draw.random() < 0.02:
                errors[name] = errors.get(name, 0) + 1
                reports.append(host.error(attempt, "exit", exit_code=3))
            else:
                reports.append(host.answer(attempt, apps(attempt, unit)))
        host.report(*reports)

    while grid.status(batches["sum"])["state"] != "done":
        assert time.monotonic() - begun < seconds, grid.dugnad("graph", first)
        came = host.take(200)
        if came:
            handle(came)
            done = len(runs) / (3 * lines)
            if killed < kills and done > (killed + 1) / (kills + 2):
                grid.kill_server()
                killed += 1
            continue
        failed = [b for b in batches.values() if grid.status(b)["failed"]]
        if failed:
            for batch in failed:
                grid.dugnad("retry", batch)
            retried = True
        time.sleep(0.1)
    took = time.monotonic() - begun
    last = max(grid.answers(batches["sum"]).items(), key=lambda x: int(x[0].split(".")[1]))
    assert int(last[1]) == sum(2 * n * n for n in range(lines)), "the sum is another one"
    for name, times in runs.items():
        assert times == 1 + errors.get(name, 0), f"{name} was run {times} times with {errors.get(name, 0)} errors"
    states = grid.api.get(f"/v1/batches/{first}/graph")["stages"]
    assert all(x["state"] == "done" and x["failed"] == 0 for x in states), states
    assert sum(x["units"] for x in states) == len(runs)
    again = run_again(grid, path, host, int(last[1]), seconds)
    return dict(rerun_seconds=again, units=len(runs), runs=sum(runs.values()), errors=sum(errors.values()), failed_and_retried=len(lost), kills=killed,
                seconds=round(took, 1), units_per_s=round(len(runs) / took))


def run_again(grid, path, host, total, seconds):
    """The same graph once more: all of it is there already, so that no host gets anything. How long that takes."""
    begun = time.monotonic()
    first = grid.dugnad("graph", "submit", path, "--quiet").strip()
    while True:
        stages = grid.api.get(f"/v1/batches/{first}/graph")["stages"]
        assert host.take(10) == {}, "what has an answer is computed again"
        if all(x["state"] == "done" for x in stages):
            break
        assert time.monotonic() - begun < seconds, stages
        time.sleep(0.1)
    took = time.monotonic() - begun
    end = max(grid.answers(stages[-1]["batch"]).items(), key=lambda x: int(x[0].split(".")[1]))
    assert int(end[1]) == total
    for stage in stages:
        status = grid.status(stage["batch"])
        assert status["taken"] == status["units"] and status["attempts"] == 0, status
    return round(took, 1)


def main():
    units = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    with tempfile.TemporaryDirectory(prefix="dugnad-graph-") as folder, Grid(folder) as grid:
        grid.publish("dugnad-say")
        print(json.dumps(run(grid, units // 3, kills=3)))


if __name__ == "__main__":
    main()
