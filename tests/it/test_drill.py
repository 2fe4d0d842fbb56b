"""The restart plan, run for real beside clients at work: each part is timed, nothing is lost, and what does not come back is told."""

import os
import re
import shlex
import subprocess
from pathlib import Path

from grid import BIN, eventually

DRILL = Path(__file__).resolve().parents[2] / "packaging" / "drill.sh"
PARTS = ["look", "back up", "stop everything", "check", "start everything", "until an answer is accepted", "drain the backlog"]


def drill(grid, *more, start=None):
    serve = f"setsid {BIN}/dugnad-server --data {shlex.quote(str(grid.data))} serve >>{grid.folder}/drilled.log 2>&1 & echo $! >{grid.folder}/pid"
    env = {**grid.env, "PATH": f"{BIN}:{os.environ['PATH']}"}
    return subprocess.run([DRILL, "--data", grid.data, "--stop", f"kill -TERM $(cat {grid.folder}/pid)", "--start", start or serve, *more],
                          env=env, text=True, capture_output=True, timeout=200)


def test_the_drill_times_each_part_and_loses_nothing(grid):
    grid.login()
    grid.publish("dugnad-say", "say")
    (grid.folder / "pid").write_text(str(grid.server.pid))
    client = grid.client("ada", cores=1).start()
    batch = grid.submit("say", array=3000, quorum=1, policy="once")
    eventually(lambda: grid.api.get("/v1/stats")["units_open"] > 0, what="the project's numbers have the batch")
    try:
        done = drill(grid)
        assert done.returncode == 0, done
        found = re.findall(r"^(\S.*?) +(\d+\.\d\d) s ", done.stdout, re.M)
        assert [name.partition(" (")[0].partition(",")[0] for name, _ in found] == PARTS, done.stdout
        print(done.stdout)
        assert not list(grid.folder.glob("server.drill-*")), "the drill's backup is removed"
        assert grid.status(batch)["units"] == 3000
        grid.dugnad("cancel", batch)
        done = drill(grid, "--wait", "2", start="true")
        assert done.returncode == 1 and "the server answers: not within 2 s" in done.stderr, done
    finally:
        subprocess.run(["bash", "-c", f"kill -KILL $(cat {grid.folder}/pid)"], capture_output=True)
        client.end()
        grid.api.close()
        grid.start()
