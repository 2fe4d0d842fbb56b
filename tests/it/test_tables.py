"""Tables larger than what may be in memory, and numbers that must be right: counts of values by map and reduce, least squares in parts.

COUNT_MB=1024 pytest-3 tests/it/test_tables.py is the long form; its figures are in tests/README.md."""

import csv
import json
import os
import random
from collections import Counter
from fractions import Fraction

import pytest

from grid import BIN

MEGABYTES = int(os.environ.get("COUNT_MB", "32"))
UNIT_MEMORY, WORDS = 16 << 20, 20000


@pytest.fixture(scope="module", autouse=True)
def world(grid):
    grid.login()
    (grid.folder / "temp").mkdir()
    grid.env["TMPDIR"] = str(grid.folder / "temp")
    grid.publish(BIN / "apps" / "counts", "counts", "--output", "counts.tsv")
    grid.publish(BIN / "apps" / "fit", "fit", "--stdout", "fit.txt", "--compare", "numeric:1e-9,1e-9")
    return grid.client("worker", cores=2).start()


def peak_bytes(process):
    status = dict(line.split(":", 1) for line in open(f"/proc/{process.pid}/status"))
    return int(status["VmHWM"].split()[0]) << 10


def table(path):
    """Words by their rank, as in a language, with some that want quotes; how often each stands there."""
    chance = random.Random(17)
    words = [f"word{i}" + (", \"quoted\"" if i % 1000 == 7 else "") for i in range(WORDS)]
    cells = [f'"{w.replace(chr(34), chr(34) * 2)}"' if "," in w else w for w in words]
    weights = [1 / (i + 1) for i in range(WORDS)]
    counts, rows, size = Counter(), 0, 0
    with open(path, "w") as out:
        size += out.write("line,word\n")
        while size < MEGABYTES << 20:
            drawn = chance.choices(range(WORDS), weights, k=20000)
            counts.update(drawn)
            size += out.write("".join(f"{rows + i},{cells[n]}\n" for i, n in enumerate(drawn)))
            rows += len(drawn)
    return {words[n]: count for n, count in counts.items()}, rows, size


def test_values_are_counted_in_a_table_larger_than_any_memory(grid, world):
    counts, rows, size = table(grid.folder / "words.csv")
    first = grid.dugnad("submit", "counts", "--quiet", "--policy", "once", "--limit", f"memory={UNIT_MEMORY}", "--from-csv", grid.folder / "words.csv",
                        "--rows", 200000, "--", "word", "rows.csv", timeout=1200).strip()
    last = grid.dugnad("submit", "counts", "--quiet", "--policy", "once", "--limit", f"memory={UNIT_MEMORY}", "--reduce", first, "--take", "counts.tsv",
                       "--fan-in", 8, "--", "--merge").strip()
    grid.dugnad("watch", last, "--quiet", "--timeout", "20m", timeout=1300)
    grid.dugnad("results", last, "--out", grid.folder / "counted")
    units = grid.status(last)["units"]
    text = (grid.folder / "counted" / f"{last}.{units - 1}" / "counts.tsv").read_text()
    assert dict((line.split("\t")[0], int(line.split("\t")[1])) for line in text.splitlines()) == counts
    assert sum(counts.values()) == rows and grid.status(first)["units"] == -(-rows // 200000) > 8
    used = max(a.get("memory_bytes", 0) for b in (first, last) for i in range(grid.status(b)["units"]) for a in grid.attempts(f"{b}.{i}"))
    figures = dict(table=size, server=peak_bytes(grid.server), client=peak_bytes(world), unit=used)
    print(json.dumps(figures))
    for who in ("server", "client", "unit"):
        assert figures[who] < size, figures
    assert used <= UNIT_MEMORY


def solve(rows):
    """The normal equations in fractions: exact, whatever their condition."""
    n = len(rows[0])
    sums = [[Fraction(0)] * n for _ in range(n)]
    for row in rows:
        x = [1, *row]
        for i in range(n):
            for k in range(i, n + 1):
                if k < n:
                    sums[i][k] += x[i] * x[k]
                    sums[k][i] = sums[i][k]
    right = [sum((r[-1] * (1 if i == 0 else r[i - 1]) for r in rows), Fraction(0)) for i in range(n)]
    for i in range(n):
        for k in range(i + 1, n):
            f = sums[k][i] / sums[i][i]
            sums[k] = [a - f * b for a, b in zip(sums[k], sums[i])]
            right[k] -= f * right[i]
    found = [Fraction(0)] * n
    for i in reversed(range(n)):
        found[i] = (right[i] - sum(sums[i][k] * found[k] for k in range(i + 1, n))) / sums[i][i]
    return found


def test_a_hundred_thousand_rows_are_fitted_in_eight_parts_each_as_computed_directly(grid, world):
    chance = random.Random(4)
    rows = [[Fraction(chance.randrange(-10000, 10000), 8), Fraction(chance.randrange(1, 4000), 16)] for _ in range(100000)]
    rows = [[a, b, 3 - 2 * a + b / 2 + Fraction(chance.randrange(-64, 64), 64)] for a, b in rows]
    with open(grid.folder / "points.csv", "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["a", "b", "y"])
        writer.writerows([float(x) for x in row] for row in rows)  # multiples of powers of two: exact
    batch = grid.dugnad("submit", "fit", "--quiet", "--policy", "once", "--from-csv", grid.folder / "points.csv", "--rows", 12500, "--", "rows.csv").strip()
    grid.dugnad("watch", batch, "--quiet", "--timeout", "2m", timeout=130)
    assert grid.status(batch)["accepted"] == 8
    for i, text in enumerate(grid.answers(batch)[f"{batch}.{n}"] for n in range(8)):
        told = {line.split()[0]: float(line.split()[1]) for line in text.splitlines()}
        wanted = solve(rows[i * 12500:(i + 1) * 12500])
        assert told["rows"] == 12500
        for name, value in zip(("constant", "a", "b"), wanted):
            assert abs(told[name] - float(value)) <= 1e-9 * max(1, abs(float(value))), (i, name, told[name], float(value))
