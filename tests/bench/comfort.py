#!/usr/bin/env python3
"""comfort.py [--seconds N] [--rounds N]: what a volunteer notices: the latency of something interactive and the time of a compile job,
without a client and with one that works on all cores, in turns so that what else the machine does falls on both.

Interactive: a process that sleeps 10 ms and then works 1 ms, as an editor or a player does; how late it is done. The compile job: this
machine's cc over a file, one job for each core. DUGNAD_BIN: the folder of the programs."""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "it"))
from grid import Grid, eventually  # noqa: E402

SOURCE = "\n".join(f"int f{n}(int a, int b) {{ int s = 0; for (int i = 0; i < a; i++) s += (i * {n}) ^ (b >> (i & 7)); return s; }}" for n in range(1500))


def spin(rounds):
    x = 1
    for _ in range(rounds):
        x = (x * 1103515245 + 12345) & 0x7FFFFFFF
    return x


def latency(seconds, rounds):
    """Milliseconds from when it wanted to begin until it was done, each time."""
    took, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        due = time.monotonic() + 0.01
        time.sleep(0.01)
        spin(rounds)
        took.append((time.monotonic() - due) * 1000)
    return took


def compile_all(folder):
    began = time.monotonic()
    jobs = [subprocess.Popen(["cc", "-O2", "-c", "-o", str(folder / f"{n}.o"), folder / "job.c"]) for n in range(os.cpu_count())]
    assert not any(job.wait() for job in jobs)
    return time.monotonic() - began


def per_cent(with_it, without):
    return (with_it / without - 1) * 100


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=10, help="of each look at the latency")
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    began = time.monotonic()
    spin(200000)
    rounds = int(200000 * 0.001 / (time.monotonic() - began))
    with tempfile.TemporaryDirectory(prefix="dugnad-comfort-") as folder, Grid(folder, contact="1s", contact_idle="1s") as grid:
        (Path(folder) / "job.c").write_text(SOURCE)
        grid.publish("dugnad-probe", "probe")
        grid.submit("probe", lines=["spin"] * 64, quorum=1, limits=dict(cpu_ms=36000000, wall_ms=36000000))
        client = grid.client("comfort", idle_priority="yes", cores=0, cores_in_use=1, load_in_use=0, pressure_max=0, memory_free_min=0).start()
        eventually(lambda: client.call("status").stdout.startswith(f"Running {os.cpu_count()}"), 60)
        found = {("latency", False): [], ("latency", True): [], ("compile", False): [], ("compile", True): []}
        for _ in range(given.rounds):
            for on in (False, True):
                assert client.call("resume" if on else "pause").returncode == 0
                time.sleep(1)
                found["latency", on] += latency(given.seconds, rounds)
                found["compile", on].append(compile_all(Path(folder)))
        client.kill()
    for name, value in (("median latency", statistics.median), ("95th percentile", lambda x: statistics.quantiles(x, n=20)[-1])):
        a, b = value(found["latency", False]), value(found["latency", True])
        print(f"{name:16} {a:8.3f} ms without, {b:8.3f} ms with: {per_cent(b, a):+.1f} %")
    a, b = min(found["compile", False]), min(found["compile", True])
    print(f"{'compile job':16} {a:8.3f} s  without, {b:8.3f} s  with: {per_cent(b, a):+.1f} % (the best of {given.rounds} each)")


if __name__ == "__main__":
    main()
